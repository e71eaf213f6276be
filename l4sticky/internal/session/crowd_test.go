package session

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// A crowd is what many goroutines do with one table, and what its events tell.
type crowd struct {
	table   *Table[string]
	clock   *clock
	answers sync.WaitGroup

	replicas [64]lockedReplica // by client
}

// A lockedReplica makes sure that the events of its client come one at a time.
type lockedReplica struct {
	mu sync.Mutex
	replica
}

func (c *crowd) observe(t *testing.T, e Event[string]) {
	r := &c.replicas[e.Client.As4()[3]]
	if !r.mu.TryLock() {
		t.Error("two events of a client come at the same time")
		return
	}
	defer r.mu.Unlock()
	r.replica.observe(e)
}

func (c *crowd) lookUp(_ netip.Addr, answer func(string, bool)) {
	reply := func() { answer("known", rand.IntN(2) == 0) }
	if rand.IntN(3) == 0 {
		reply()
		return
	}
	c.answers.Go(func() {
		if rand.IntN(2) == 0 {
			time.Sleep(time.Microsecond)
		}
		reply()
	})
}

// visit is a connection of any client that does this and that.
func (c *crowd) visit() {
	s := c.table.Acquire(addr(rand.IntN(len(c.replicas))))
	defer c.table.Release(s)
	for woken := make(wakes, 1); rand.IntN(4) > 0 && c.table.Await(s, woken); {
		<-woken
	}
	switch target := string(rune('a' + rand.IntN(3))); rand.IntN(4) {
	case 0:
		place(c.table, s, target)
	case 1:
		c.table.Settle(s, func(t string) bool { return t == target }, func() string { return target })
	case 2:
		c.table.Reach(s, target)
	}
}

// restore restores sessions of any clients.
func (c *crowd) restore() {
	infos := make([]Info[string], 10)
	for i := range infos {
		idle := time.Duration(rand.Int64N(int64(expiry)))
		infos[i] = Info[string]{Client: addr(rand.IntN(len(c.replicas))), Target: "restored", IdleSince: c.clock.now() - idle}
	}
	c.table.Restore(infos)
}

// TestConcurrentEvents has many goroutines use a small table, and compares it with what its events told.
func TestConcurrentEvents(t *testing.T) {
	c := &crowd{clock: new(clock)}
	c.table = NewWithHooks(c.clock.now, expiry, len(c.replicas)/2, Hooks[string]{
		Observe: func(e Event[string]) { c.observe(t, e) },
		Lookup:  c.lookUp,
	})
	var visitors sync.WaitGroup
	for range 8 {
		visitors.Go(func() {
			for i := range 2000 {
				c.visit()
				if i%20 == 0 {
					c.restore()
				}
				if i%100 == 0 {
					c.clock.advance(expiry / 2)
					c.table.expire()
				}
			}
		})
	}
	visitors.Wait()
	c.answers.Wait()
	content := stays(c.table, len(c.replicas))
	for n := range c.replicas {
		r := &c.replicas[n]
		if r.fault != nil {
			t.Errorf("client %d: %v", n, r.fault)
		}
		if got, want := r.stays[addr(n)], content[addr(n)]; got != want {
			t.Errorf("client %d: the events tell of %v, the table has %v", n, got, want)
		}
	}
	mustBeInOrder(t, c.table)
	for i := range c.table.shards {
		if out := c.table.shards[i].outbox; out.delivering || len(out.queue)+len(out.lookups) > 0 {
			t.Errorf("shard %d keeps %d messages and %d lookups", i, len(out.queue), len(out.lookups))
		}
	}
}
