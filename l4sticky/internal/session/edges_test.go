package session

import (
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// longest is the longest expiry that a config may have, 100 years.
const longest = 100 * 365 * 24 * time.Hour

// TestClockThatStandsStill has the clock of a suspended machine. A session neither expires while the clock stands nor
// lives longer than its expiry afterwards, and the table does not read the clock more often because it stands.
func TestClockThatStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := new(clock)
		var looks atomic.Int64
		table := New[string](func() time.Duration { looks.Add(1); return c.now() }, expiry, 10)
		visit(table, addr(1), "first")
		time.Sleep(time.Hour) // of the bubble, while the table's clock stands
		synctest.Wait()
		if got := visit(table, addr(1), "second"); got != "first" {
			t.Errorf("target = %q, want first", got)
		}
		if most := 10 * int64(time.Hour/expiry); looks.Load() > most {
			t.Errorf("%d looks at the clock in an hour, want at most %d", looks.Load(), most)
		}
		c.advance(expiry)
		time.Sleep(2 * expiry)
		synctest.Wait()
		if got := table.Len(); got != 0 {
			t.Errorf("%d sessions are left after their time", got)
		}
	})
}

// TestClockThatJumpsForwards expires what has its time behind it at once, and nothing else.
func TestClockThatJumpsForwards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, clock := newTable(10)
		visit(table, addr(1), "first")
		open := table.Acquire(addr(2))
		place(table, open, "first")
		clock.advance(longest)
		visit(table, addr(3), "first")
		time.Sleep(expiry)
		synctest.Wait()
		if got := table.Len(); got != 2 {
			t.Errorf("%d sessions, want the open one and the new one", got)
		}
		for _, n := range []int{2, 3} {
			if got := visit(table, addr(n), "second"); got != "first" {
				t.Errorf("client %d is at %q", n, got)
			}
		}
		table.Release(open)
		if got := visit(table, addr(2), "second"); got != "first" {
			t.Errorf("after its connection the client is at %q", got)
		}
	})
}

// TestLongestExpiry holds a session for 100 years, even in a process that has run as long.
func TestLongestExpiry(t *testing.T) {
	for _, age := range []time.Duration{0, longest, math.MaxInt64 - longest - 1} {
		synctest.Test(t, func(t *testing.T) {
			c := &clock{time: age}
			table := New[string](c.now, longest, math.MaxInt)
			visit(table, addr(1), "first")
			for _, pause := range []time.Duration{time.Second, longest - time.Second - 1} {
				c.advance(pause)
				time.Sleep(time.Second)
				synctest.Wait()
			}
			if got := table.Len(); got != 1 {
				t.Fatalf("at the age %v: %d sessions, want 1", age, got)
			}
			c.advance(1)
			table.expire()
			if got := table.Len(); got != 0 {
				t.Errorf("at the age %v: the session outlived its time", age)
			}
			table.SetLimits(time.Second, math.MaxInt) // stops the timer that is set for the far future
			time.Sleep(time.Hour)
		})
	}
}

// TestGreatLimits has limits of a client's connections that no int32 holds.
func TestGreatLimits(t *testing.T) {
	for _, limit := range []int{math.MaxInt32, 1 << 31, 1 << 32, 1<<32 + 1, math.MaxInt} {
		table, _ := newTable(math.MaxInt)
		for n := range 3 {
			s, allowed := table.AcquireWithin(addr(1), limit)
			if !allowed {
				t.Fatalf("the limit %d keeps connection %d out", limit, 1+n)
			}
			defer table.Release(s)
			place(table, s, "first")
			table.Reach(s, "first")
		}
	}
}

// TestMostConnections counts as many connections of a client as the count can hold. A connection beyond that is not
// counted, and its end does not lower the count.
func TestMostConnections(t *testing.T) {
	table, _ := newTable(10)
	s := table.Acquire(addr(1))
	place(table, s, "first")
	s.refs = maxRefs
	beyond := table.Acquire(addr(1))
	if beyond == s || s.refs != maxRefs {
		t.Fatalf("one connection too many made the count %#x", s.refs)
	}
	if _, settled := table.Look(s); settled {
		t.Error("the count says that a connection has reached its target")
	}
	table.Release(beyond)
	if s.refs != maxRefs {
		t.Errorf("the end of that connection made the count %#x", s.refs)
	}
	if _, allowed := table.AcquireWithin(addr(1), maxRefs); allowed {
		t.Error("a limit that is reached lets another connection in")
	}
}
