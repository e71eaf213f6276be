package middleware

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

// testClock stands still until a test moves it.
type testClock struct{ time.Time }

func (c *testClock) now() time.Time { return c.Time }

func (c *testClock) pass(d time.Duration) { c.Time = c.Add(d) }

func testBuckets(t *testing.T, l limits) (*bucketUser, *testClock) {
	t.Helper()
	clock := &testClock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	user, err := newBuckets("test", clock.now).join(prometheus.NewRegistry(), l)
	if err != nil {
		t.Fatal(err)
	}
	return user, clock
}

func clientNumber(n int) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 10<<24+uint32(n))))
}

// taken returns how many of n connections of a client are let in.
func taken(u *bucketUser, client netip.Addr, n int) (count int) {
	for range n {
		if u.take(client) {
			count++
		}
	}
	return count
}

func mustTake(t *testing.T, u *bucketUser, client netip.Addr, n, want int) {
	t.Helper()
	if got := taken(u, client, n); got != want {
		t.Errorf("%v: %d of %d were let in, want %d", client, got, n, want)
	}
}

func TestRateAndBurst(t *testing.T) {
	u, clock := testBuckets(t, limits{window: time.Minute, connections: 6, burst: 3, maxClients: 10})
	a, b := clientNumber(1), clientNumber(2)
	mustTake(t, u, a, 10, 3)
	mustTake(t, u, b, 2, 2)
	clock.pass(9900 * time.Millisecond)
	mustTake(t, u, a, 10, 0)
	clock.pass(100 * time.Millisecond)
	mustTake(t, u, a, 10, 1)
	mustTake(t, u, b, 10, 2)
	clock.pass(25 * time.Second)
	mustTake(t, u, a, 10, 2)
	clock.pass(time.Hour)
	mustTake(t, u, a, 10, 3)
	mustTake(t, u, netip.Addr{}, 10, 3)
}

// However many strangers come, there are no more buckets than max_clients, and those of clients who have
// spent their tokens are the last to go.
func TestStrangersMakeRoomForEachOther(t *testing.T) {
	u, clock := testBuckets(t, limits{window: time.Hour, connections: 10, burst: 10, maxClients: 100})
	spender := clientNumber(0)
	mustTake(t, u, spender, 20, 10)
	for n := range 10_000 {
		mustTake(t, u, clientNumber(1+n), 1, 1)
		clock.pass(time.Microsecond)
		if len(u.byClient) > 100 || len(u.byClient) != len(u.byFill) {
			t.Fatalf("%d buckets, %d in order", len(u.byClient), len(u.byFill))
		}
	}
	mustTake(t, u, spender, 10, 0)
	if n := len(u.byClient); n != 100 {
		t.Errorf("%d buckets, want 100", n)
	}
}

// Buckets that are full again are let go of, a few with each new client.
func TestFullBucketsGo(t *testing.T) {
	u, clock := testBuckets(t, limits{window: time.Second, connections: 10, burst: 10, maxClients: 1000})
	for n := range 500 {
		u.take(clientNumber(n))
	}
	if n := len(u.byClient); n != 500 {
		t.Fatalf("%d buckets, want 500", n)
	}
	clock.pass(time.Minute)
	for n := range 500 {
		u.take(clientNumber(1000 + n))
		clock.pass(time.Second)
	}
	if n := len(u.byClient); n != 1 {
		t.Errorf("%d buckets, want that of the last client", n)
	}
}

// A reload keeps the tokens that clients have left and changes how fast they come.
func TestLimitsChange(t *testing.T) {
	old, clock := testBuckets(t, limits{window: time.Hour, connections: 10, burst: 10, maxClients: 100})
	client := clientNumber(1)
	mustTake(t, old, client, 20, 10)
	reloaded, err := old.join(prometheus.NewRegistry(), limits{window: time.Second, connections: 2, burst: 5, maxClients: 2})
	if err != nil {
		t.Fatal(err)
	}
	mustTake(t, reloaded, client, 10, 0)
	clock.pass(time.Second)
	mustTake(t, reloaded, client, 10, 2)
	clock.pass(time.Hour)
	mustTake(t, reloaded, client, 10, 5)
	for n := range 10 {
		reloaded.take(clientNumber(10 + n))
	}
	if n := len(reloaded.byClient); n != 2 {
		t.Errorf("%d buckets, want 2", n)
	}
}

func TestSameNameSameLimits(t *testing.T) {
	l := limits{window: time.Hour, connections: 10, burst: 10, maxClients: 100}
	other := l
	other.burst = 11
	config := prometheus.NewRegistry()
	first, err := joinBuckets("names", config, l)
	if err != nil {
		t.Fatal(err)
	}
	second, err := joinBuckets("names", config, l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := joinBuckets("names", config, other); err == nil || !strings.Contains(err.Error(), "two rate limits have the name 'names'") {
		t.Errorf("different options in one config: %v", err)
	}
	next, err := joinBuckets("names", prometheus.NewRegistry(), other)
	if err != nil {
		t.Errorf("different options in the next config: %v", err)
	}
	mustTake(t, first, clientNumber(1), 20, 10)
	for _, u := range []*bucketUser{first, second} {
		if err := u.quit(); err != nil {
			t.Error(err)
		}
	}
	if len(next.byClient) != 1 || len(next.users) != 1 {
		t.Errorf("%d buckets and %d users are left, want 1 and 1", len(next.byClient), len(next.users))
	}
	if err := next.quit(); err != nil {
		t.Error(err)
	}
	if _, used := bucketPools.References("names"); used {
		t.Error("the buckets are kept for nobody")
	}
}

// Connections that come at the same moment share the bucket exactly.
func TestConcurrentTakes(t *testing.T) {
	u, _ := testBuckets(t, limits{window: time.Hour, connections: 1, burst: 500, maxClients: 100})
	var in atomic.Int64
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() { in.Add(int64(taken(u, clientNumber(1), 100))) })
	}
	wait.Wait()
	if in.Load() != 500 {
		t.Errorf("%d were let in, want 500", in.Load())
	}
}

// The longest window and the largest burst do not overflow.
func TestExtremeLimits(t *testing.T) {
	u, clock := testBuckets(t, limits{window: parse.MaxDuration, connections: 1, burst: maxTokens, maxClients: 10})
	mustTake(t, u, clientNumber(1), 10, 10)
	clock.pass(time.Second)
	u.take(clientNumber(2))
	if u.byClient[clientNumber(1)] == nil {
		t.Error("a bucket that is not full was let go of")
	}
	u, _ = testBuckets(t, limits{window: 1, connections: maxTokens, burst: maxTokens, maxClients: 10})
	mustTake(t, u, clientNumber(1), 10, 10)
}

func BenchmarkRateLimit(b *testing.B) {
	u, err := newBuckets("bench", time.Now).join(prometheus.NewRegistry(), limits{window: time.Second, connections: 10, burst: 10, maxClients: 100_000})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		u.take(clientNumber(n % 1_000_000))
	}
}
