package l4sticky

import (
	"encoding/binary"
	"net"
	"net/netip"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// floods are whole addresses and prefixes that somebody has billions of.
var floods = map[string]struct {
	bits     int
	client   func(n int) netip.Addr
	sessions int // that are remembered in the end, but for those that were there before
}{
	"128":                     {128, func(n int) netip.Addr { return address6(0x2001_0db8_0000_0001, uint64(n)) }, manySessions},
	"64":                      {64, func(n int) netip.Addr { return address6(0x2001_0db8_0000_0000+uint64(n)<<8, uint64(n)) }, manySessions},
	"128 addresses of one 64": {64, func(n int) netip.Addr { return address6(0x2001_0db8_0000_0001, uint64(n)) }, 1},
}

func address6(network, host uint64) netip.Addr {
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, network), host)))
}

// TestFlood has ten million clients come and go. The table keeps to max_sessions and the process to its memory limit,
// clients with open connections keep their targets, and a newcomer waits no longer than those before.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	const megabyte = 1 << 20
	for name, flood := range floods {
		t.Run(name, func(t *testing.T) {
			debug.FreeOSMemory()
			limit := int64(resident()) + manySessions*150 + 16*megabyte
			defer debug.SetMemoryLimit(debug.SetMemoryLimit(limit))
			v := joinFlood(t, flood.bits)
			defer v.quit()
			const regulars = 1000
			sessions, homes := regularClients(v, regulars)

			var rounds [10]time.Duration // what as many clients each have taken
			var starts []time.Duration
			most := uint64(0)
			for n := range manyClients {
				if n%(manyClients/100) == 0 {
					most = max(most, resident())
				}
				if n%(manyClients/len(rounds)) == 0 {
					starts = append(starts, cpuTime())
				}
				come(v, flood.client(n))
			}
			starts = append(starts, cpuTime())
			for i := range rounds {
				rounds[i] = starts[i+1] - starts[i]
			}
			perRound := time.Duration(manyClients / len(rounds))
			t.Logf("at most %d MB of %d; a client takes %v, at the end %v",
				most/megabyte, limit/megabyte, rounds[1]/perRound, rounds[len(rounds)-1]/perRound)
			if most > uint64(limit)+16*megabyte {
				t.Errorf("the process has taken %d MB, its limit is %d", most/megabyte, limit/megabyte)
			}
			if got := v.sessions.Len(); got > flood.sessions+regulars || got < flood.sessions {
				t.Errorf("%d sessions are remembered, want %d", got, flood.sessions)
			}
			for _, later := range rounds[2:] {
				if later > 4*rounds[1] {
					t.Errorf("the clients of the rounds took %v: time grows", rounds)
					break
				}
			}
			mustBeHome(t, v, sessions, homes)
		})
	}
}

// cpuTime is how long the process has had a core.
func cpuTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

// resident is what the process has of the system, as the memory limit counts it.
func resident() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.Sys - stats.HeapReleased
}

func joinFlood(t *testing.T, bits int) *poolConfig {
	t.Helper()
	options := Options{Pool: t.Name(), MaxSessions: manySessions, SessionExpiry: caddy.Duration(time.Hour), ClientPrefix: &parse.ClientPrefix{IPv6: bits}}
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	var upstreams []target.Config
	for _, a := range []string{"a:1", "b:1", "c:1"} {
		upstreams = append(upstreams, target.Config{Address: target.Address{Network: "tcp", Dial: a}, Weight: 1})
	}
	v, err := join(newConfig(t), options, upstreams, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// come is a connection that comes and goes.
func come(v *poolConfig, client netip.Addr) {
	c := v.client(&net.TCPAddr{IP: client.AsSlice(), Port: 1})
	s, _ := v.acquire(c, 0)
	v.settle(s, c, all)
	v.sessions.Release(s)
}

// regular returns the address of a client that is there before a flood.
func regular(n int) netip.Addr { return address6(0x2001_0db8_ffff_0000+uint64(n)<<32, 1) }

// regularClients has clients open connections that stay open, all with a target that is not the one where they would be
// placed anew.
func regularClients(v *poolConfig, n int) (sessions []*clientSession, homes []*target.Target) {
	for i := range n {
		c := v.client(&net.TCPAddr{IP: regular(i).AsSlice()})
		first := v.targets.Place(c, all)
		s, _ := v.acquire(c, 0)
		home := v.settle(s, c, func(m *target.Member) bool { return m != first })
		v.sessions.Reach(s, home.Target)
		sessions, homes = append(sessions, s), append(homes, home.Target)
	}
	return sessions, homes
}

// mustBeHome fails if a client that has an open connection is not at its target any more.
func mustBeHome(t *testing.T, v *poolConfig, sessions []*clientSession, homes []*target.Target) {
	t.Helper()
	for i, s := range sessions {
		again, _ := v.acquire(v.client(&net.TCPAddr{IP: regular(i).AsSlice()}), 0)
		if got, settled := v.sessions.Look(again); again != s || got != homes[i] || !settled {
			t.Fatalf("client %d has lost its session", i)
		}
		v.sessions.Release(again)
		v.sessions.Release(s)
	}
}
