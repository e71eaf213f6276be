package session

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// clock is a clock that stands still until a test moves it.
type clock struct {
	mu   sync.Mutex
	time time.Duration
}

func (c *clock) now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.time
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.time += d
}

const expiry = 30 * time.Second

func newTable(capacity int) (*Table[string], *clock) {
	c := new(clock)
	return New[string](c.now, expiry, capacity), c
}

func addr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// place settles a session on a target if it has none.
func place(t *Table[string], s *Session[string], target string) string {
	return t.Settle(s, func(string) bool { return true }, func() string { return target })
}

// visit is a connection that comes and goes; it returns the session's target.
func visit(t *Table[string], client netip.Addr, target string) string {
	s := t.Acquire(client)
	defer t.Release(s)
	return place(t, s, target)
}

func TestSessionLivesForExpiryAfterItsLastConnection(t *testing.T) {
	for _, test := range []struct {
		name  string
		pause time.Duration
		want  string
	}{
		{"a millisecond before", expiry - time.Millisecond, "first"},
		{"at the moment", expiry, "second"},
		{"later", time.Hour, "second"},
	} {
		t.Run(test.name, func(t *testing.T) {
			table, clock := newTable(10)
			a := table.Acquire(addr(1))
			place(table, a, "first")
			b := table.Acquire(addr(1))
			table.Release(a)
			clock.advance(time.Hour) // b keeps the session, however long
			table.expire()
			table.Release(b)
			clock.advance(test.pause)
			if got := visit(table, addr(1), "second"); got != test.want {
				t.Errorf("target = %q, want %q", got, test.want)
			}
			if got := table.Len(); got != 1 {
				t.Errorf("Len = %d, want 1", got)
			}
		})
	}
}

func TestEveryConnectionRestartsTheExpiry(t *testing.T) {
	table, clock := newTable(10)
	visit(table, addr(1), "first")
	for range 5 {
		clock.advance(expiry - time.Millisecond)
		if got := visit(table, addr(1), "other"); got != "first" {
			t.Fatalf("target = %q, want first", got)
		}
	}
}

func TestMappedAddressIsTheIPv4Client(t *testing.T) {
	table, _ := newTable(10)
	visit(table, netip.MustParseAddr("192.0.2.1"), "first")
	if got := visit(table, netip.MustParseAddr("::ffff:192.0.2.1"), "second"); got != "first" {
		t.Errorf("target = %q, want first", got)
	}
	if got := visit(table, netip.MustParseAddr("fe80::1%eth0"), "zone0"); got != "zone0" {
		t.Errorf("target = %q, want zone0", got)
	}
	if got := visit(table, netip.MustParseAddr("fe80::1%eth1"), "zone1"); got != "zone1" {
		t.Errorf("target = %q, want zone1: the same link-local address on another link is another client", got)
	}
}

func TestSessionWithoutTargetIsForgottenAtOnce(t *testing.T) {
	table, _ := newTable(10)
	table.Release(table.Acquire(addr(1)))
	if got := table.Len(); got != 0 {
		t.Errorf("Len = %d, want 0", got)
	}
}

func TestSettle(t *testing.T) {
	table, _ := newTable(10)
	a, b := table.Acquire(addr(1)), table.Acquire(addr(1))
	defer table.Release(a)
	defer table.Release(b)
	place(table, a, "dead")

	not := func(bad string) func(string) bool { return func(t string) bool { return t != bad } }
	if got := table.Settle(a, not("dead"), func() string { return "" }); got != "" {
		t.Errorf("with no target left: %q, want none", got)
	}
	if got, _ := table.Look(b); got != "dead" {
		t.Errorf("after that: %q, want the session unchanged", got)
	}
	if got := table.Settle(a, not("dead"), func() string { return "alive" }); got != "alive" {
		t.Errorf("the first to fail moved to %q, want alive", got)
	}
	if got := table.Settle(b, not("dead"), func() string { return "another" }); got != "alive" {
		t.Errorf("the second to fail moved to %q, want to follow to alive", got)
	}
}

func TestFullTableForgetsTheLongestIdle(t *testing.T) {
	table, clock := newTable(100)
	busy := table.Acquire(addr(0))
	place(table, busy, "busy")
	for i := 1; i < 100; i++ {
		visit(table, addr(i), "old")
		clock.advance(time.Millisecond)
	}
	visit(table, addr(1), "") // no longer the oldest
	visit(table, addr(100), "new")
	visit(table, addr(101), "new")

	if got := table.Len(); got != 100 {
		t.Errorf("Len = %d, want 100", got)
	}
	for i, want := range map[int]string{0: "busy", 1: "old", 4: "old", 99: "old", 100: "new", 101: "new"} {
		if got := visit(table, addr(i), "gone"); got != want {
			t.Errorf("client %d has target %q, want %q", i, got, want)
		}
	}
	for _, i := range []int{2, 3} {
		s := table.Acquire(addr(i))
		if got, _ := table.Look(s); got != "" {
			t.Errorf("client %d has target %q, want it to be forgotten", i, got)
		}
		table.Release(s)
	}
	table.Release(busy)
}

func TestFullOfBusySessionsServesWithoutRemembering(t *testing.T) {
	table, _ := newTable(2)
	a, b := table.Acquire(addr(1)), table.Acquire(addr(2))
	place(table, a, "x")
	place(table, b, "x")
	c := table.Acquire(addr(3))
	if got := place(table, c, "y"); got != "y" {
		t.Errorf("target = %q, want y", got)
	}
	if got := table.Len(); got != 2 {
		t.Errorf("Len = %d, want 2", got)
	}
	table.Release(c)
	if got := visit(table, addr(3), "z"); got != "z" {
		t.Errorf("target = %q, want z", got)
	}
	table.Release(a)
	if got := visit(table, addr(3), "z"); got != "z" || table.Len() != 2 {
		t.Errorf("target = %q, Len = %d, want z and 2", got, table.Len())
	}
	table.Release(b)
}

func TestNewLimitsReachLiveSessions(t *testing.T) {
	table, clock := newTable(10)
	visit(table, addr(1), "first")
	clock.advance(2 * time.Second)
	table.SetLimits(time.Second, 10)
	if got := visit(table, addr(1), "second"); got != "second" {
		t.Errorf("after a shorter expiry: %q, want second", got)
	}
	table.SetLimits(time.Hour, 10)
	clock.advance(time.Minute)
	if got := visit(table, addr(1), "third"); got != "second" {
		t.Errorf("after a longer expiry: %q, want second", got)
	}
}

func TestTableExpiresOnItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		table := New[string](func() time.Duration { return time.Since(start) }, expiry, 1000)
		for i := range 500 {
			visit(table, addr(i), "x")
			time.Sleep(time.Millisecond)
		}
		held := table.Acquire(addr(0))
		time.Sleep(expiry - time.Second)
		if got := table.Len(); got != 500 {
			t.Fatalf("Len = %d before the expiry, want 500", got)
		}
		time.Sleep(2 * time.Second)
		if got := table.Len(); got != 1 {
			t.Fatalf("Len = %d after the expiry, want the one with a connection", got)
		}
		table.Release(held)
		time.Sleep(expiry + time.Second)
		if got := table.Len(); got != 0 {
			t.Fatalf("Len = %d, want 0", got)
		}

		visit(table, addr(1), "x")
		time.Sleep(time.Second)
		table.SetLimits(500*time.Millisecond, 1000)
		time.Sleep(sweepPause)
		if got := table.Len(); got != 0 {
			t.Fatalf("Len = %d after a shorter expiry, want 0", got)
		}
		visit(table, addr(1), "x")
		table.Clear()
		if got := table.Len(); got != 0 {
			t.Fatalf("Len = %d after Clear, want 0", got)
		}
	})
}

// TestConcurrentUse lets many goroutines come and go with few clients in a small table while sessions
// expire, and counts at the end.
func TestConcurrentUse(t *testing.T) {
	table, clock := newTable(20)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 3000 {
				s := table.Acquire(addr((i * (g + 1)) % 40))
				if i%3 > 0 {
					place(table, s, "x")
				}
				if i%100 == 0 {
					clock.advance(expiry / 10)
					table.expire()
				}
				table.Release(s)
			}
		})
	}
	wg.Wait()
	if got := table.Len(); got > 20 {
		t.Errorf("Len = %d, want at most 20", got)
	}
	clock.advance(expiry)
	table.expire()
	if got := table.Len(); got != 0 {
		t.Errorf("Len = %d after all expired, want 0", got)
	}
	for i := range table.shards {
		if n := table.shards[i].sessions.count; n != 0 || table.shards[i].head() != nil {
			t.Errorf("shard %d still holds %d sessions", i, n)
		}
	}
}

func TestHitDoesNotAllocate(t *testing.T) {
	table, _ := newTable(10)
	visit(table, addr(1), "x")
	usable := func(string) bool { return true }
	if n := testing.AllocsPerRun(1000, func() {
		s := table.Acquire(addr(1))
		table.Settle(s, usable, nil)
		table.Release(s)
	}); n != 0 {
		t.Errorf("%v allocations on a hit, want 0", n)
	}
}

// TestConnectionsOfAClient counts them against a limit.
func TestConnectionsOfAClient(t *testing.T) {
	table, _ := newTable(10)
	one, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	var wg sync.WaitGroup
	var allowed atomic.Int32
	for range 100 {
		wg.Go(func() {
			if s, ok := table.AcquireWithin(one, 3); ok {
				allowed.Add(1)
				place(table, s, "t")
			}
		})
	}
	wg.Wait()
	if allowed.Load() != 3 {
		t.Errorf("%d connections of a client are allowed, want 3", allowed.Load())
	}
	if _, ok := table.AcquireWithin(other, 1); !ok {
		t.Error("another client is refused")
	}
	s, _ := table.AcquireWithin(one, 0)
	table.Release(s)
	table.Release(s)
	if _, ok := table.AcquireWithin(one, 3); !ok {
		t.Error("no connection is allowed in place of one that ended")
	}
	if _, ok := table.AcquireWithin(one, 3); ok {
		t.Error("one too many is allowed")
	}
}

// TestHashIsSeeded makes sure that addresses which collide in one table are of no use to an attacker in another.
func TestHashIsSeeded(t *testing.T) {
	a, _ := newTable(10)
	b, _ := newTable(10)
	same := 0
	for n := range 1000 {
		if a.hash(addr(n)) == b.hash(addr(n)) {
			same++
		}
	}
	if same > 1 {
		t.Errorf("%d of 1000 clients have the same hash in two tables", same)
	}
}
