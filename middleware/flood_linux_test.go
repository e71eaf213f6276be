package middleware

import (
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manyNumber returns the client with this number of a flood, each in a network of its own.
func manyNumber(n int) netip.Addr {
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 0x2001_0db8<<32+uint64(n)), 1)))
}

// mustStayFlat has clients come one after the other, each of whom must not take more memory or time than those before.
func mustStayFlat(t *testing.T, clients int, memory uint64, come func(n int)) {
	t.Helper()
	debug.FreeOSMemory()
	before := heapInUse()
	var rounds [5]time.Duration
	for n := range clients {
		if each := clients / len(rounds); n%each == 0 {
			began := cpuTime()
			for m := n; m < n+each; m++ {
				come(m)
			}
			rounds[n/each] = cpuTime() - began
			debug.FreeOSMemory()
			if now := heapInUse(); now > before+memory {
				t.Errorf("%d clients take %d bytes, want at most %d", n+each, now-before, memory)
			}
		}
	}
	t.Logf("%d clients took %v, and %d bytes", clients, rounds, int64(heapInUse()-before))
	for _, later := range rounds[2:] {
		if later > 4*rounds[1] {
			t.Errorf("time grows")
			break
		}
	}
}

func heapInUse() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// cpuTime is how long the process has had a core.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// TestFloodOfBuckets has ten million clients come. There are never more buckets than max_clients, and whoever has spent
// his tokens gets no new ones by it.
func TestFloodOfBuckets(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	const most = manyClients / 100
	u, clock := testBuckets(t, limits{window: time.Hour, connections: 10, burst: 10, maxClients: most})
	spender := clientNumber(1)
	mustTake(t, u, spender, 20, 10)
	mustStayFlat(t, manyClients, most*400, func(n int) {
		clock.pass(time.Microsecond)
		if !u.take(manyNumber(n)) {
			t.Fatalf("client %d is kept out", n)
		}
	})
	if len(u.byClient) != most || len(u.byFill) != most {
		t.Errorf("%d buckets, %d in order, want %d", len(u.byClient), len(u.byFill), most)
	}
	mustTake(t, u, spender, 10, 0)
}

// refuser is a service that refuses everybody at length.
type refuser struct{}

func (refuser) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusForbidden, Body: io.NopCloser(strings.NewReader(strings.Repeat("no ", 5000)))}, nil
}

// TestFloodOfAnswers has clients come about whom a service says as much as it likes.
func TestFloodOfAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	const most = manyClients / 1000
	a := provision(t, &Authorize{URL: "http://service.example", CacheSize: most})
	a.authority.client.Transport = refuser{}
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}
	mustStayFlat(t, manyClients/50, most*800, func(n int) {
		client := NewClient(&net.TCPAddr{IP: manyNumber(n).AsSlice(), Port: 1 + n%65535}, local)
		if err := a.Decide(t.Context(), client); err == nil || !strings.HasPrefix(err.Error(), "403 Forbidden: no no") {
			t.Fatalf("client %d: %v", n, err)
		}
	})
	if got := a.authority.known.Len(); got > most {
		t.Errorf("%d answers are kept, want at most %d", got, most)
	}
}
