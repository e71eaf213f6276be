package session

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// observed returns a table with an observer.
func observed(observe func(Event[string])) (*Table[string], *clock) {
	c := new(clock)
	return NewWithHooks(c.now, expiry, 10, Hooks[string]{Observe: observe}), c
}

// A wakes is a waiter that can be waited for.
type wakes chan struct{}

func (w wakes) Wake() { w <- struct{}{} }

// TestEventsOfOneStay names them all in their order.
func TestEventsOfOneStay(t *testing.T) {
	var got []Event[string]
	table, clock := observed(func(e Event[string]) { got = append(got, e) })
	visit(table, addr(1), "first")
	s := table.Acquire(addr(1))
	table.Settle(s, func(string) bool { return false }, func() string { return "second" })
	table.Release(s)
	clock.advance(expiry)
	table.expire()
	client := addr(1)
	if want := []Event[string]{
		{Placed, client, "first", ""},
		{Idle, client, "first", ""},
		{Resumed, client, "first", ""},
		{Moved, client, "second", "first"},
		{Idle, client, "second", ""},
		{Expired, client, "second", ""},
	}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestObserverRunsWithoutALock looks at every lock from within the observer, and uses the table there.
func TestObserverRunsWithoutALock(t *testing.T) {
	var table *Table[string]
	var kinds []Kind
	table, _ = observed(func(e Event[string]) {
		for i := range table.shards {
			if !table.shards[i].mu.TryLock() {
				t.Errorf("%v: shard %d is locked", e.Kind, i)
				return
			}
			table.shards[i].mu.Unlock()
		}
		kinds = append(kinds, e.Kind)
		if e.Kind == Placed {
			table.Release(table.Acquire(e.Client)) // the client has another connection meanwhile
		}
		if e.Kind == Idle && len(kinds) < 4 {
			visit(table, e.Client, "other")
		}
	})
	visit(table, addr(1), "first")
	if want := []Kind{Placed, Idle, Resumed, Idle}; !slices.Equal(kinds, want) {
		t.Errorf("events %v, want %v", kinds, want)
	}
}

// TestPanicInObserver loses nothing but the event that caused it.
func TestPanicInObserver(t *testing.T) {
	var kinds []Kind
	table, clock := observed(func(e Event[string]) {
		if e.Kind == Placed {
			panic("observer")
		}
		kinds = append(kinds, e.Kind)
	})
	before := safely.Panics()
	visit(table, addr(1), "first")
	clock.advance(expiry)
	table.expire()
	if n := safely.Panics() - before; n != 1 || !slices.Equal(kinds, []Kind{Idle, Expired}) {
		t.Errorf("%d panics, events %v", n, kinds)
	}
}

// TestPanicInWaiter wakes the others.
func TestPanicInWaiter(t *testing.T) {
	var answer func(string, bool)
	table := NewWithHooks(new(clock).now, expiry, 10, Hooks[string]{
		Lookup: func(_ netip.Addr, a func(string, bool)) { answer = a },
	})
	s := table.Acquire(addr(1))
	defer table.Release(s)
	woken := make(wakes, 1)
	if !table.Await(s, faulty{}) || !table.Await(s, woken) {
		t.Fatal("not waiting")
	}
	before := safely.Panics()
	answer("", false)
	if n := safely.Panics() - before; n != 1 || len(woken) != 1 {
		t.Errorf("%d panics, %d of the others are woken", n, len(woken))
	}
}

type faulty struct{}

func (faulty) Wake() { panic("waiter") }

// TestPanicInLookup is the answer that there is no session.
func TestPanicInLookup(t *testing.T) {
	table := NewWithHooks(new(clock).now, expiry, 10, Hooks[string]{
		Lookup: func(netip.Addr, func(string, bool)) { panic("lookup") },
	})
	before := safely.Panics()
	s := table.Acquire(addr(1))
	defer table.Release(s)
	for range 2 {
		if table.Await(s, make(wakes)) {
			t.Error("waiting for an answer that never comes")
		}
	}
	if n := safely.Panics() - before; n != 1 {
		t.Errorf("%d panics, want 1", n)
	}
}

// TestLookup answers before Lookup returns, and after.
func TestLookup(t *testing.T) {
	for name, c := range map[string]struct {
		answer  string
		atOnce  bool
		want    string
		reached bool
	}{
		"found at once":   {"known", true, "known", true},
		"found later":     {"known", false, "known", true},
		"nothing at once": {"", true, "placed", false},
		"nothing later":   {"", false, "placed", false},
	} {
		t.Run(name, func(t *testing.T) {
			var kinds []Kind
			asked, later := 0, func() {}
			table := NewWithHooks(new(clock).now, expiry, 10, Hooks[string]{
				Observe: func(e Event[string]) { kinds = append(kinds, e.Kind) },
				Lookup: func(client netip.Addr, answer func(string, bool)) {
					if asked++; client != addr(1) {
						t.Errorf("asked for %v", client)
					}
					later = func() { answer(c.answer, c.answer != "") }
					if c.atOnce {
						later()
					}
				},
			})
			s, woken := table.Acquire(addr(1)), make(wakes, 1)
			if table.Await(s, woken) == c.atOnce || len(woken) > 0 {
				t.Errorf("does not wait, or is woken %d times before the answer", len(woken))
			}
			if later(); len(woken) == 1 == c.atOnce {
				t.Errorf("woken %d times", len(woken))
			}
			if table.Await(s, woken) {
				t.Error("waits after the answer")
			}
			_, reached := table.Look(s)
			got := place(table, s, "placed")
			table.Release(s)
			first := Placed
			if c.answer != "" {
				first = Found
			}
			if got != c.want || reached != c.reached || asked != 1 || !slices.Equal(kinds, []Kind{first, Idle}) {
				t.Errorf("target %q, reached %v, asked %d times, events %v", got, reached, asked, kinds)
			}
		})
	}
}

// TestNothingIsLookedUp where there is a session, or none that is remembered.
func TestNothingIsLookedUp(t *testing.T) {
	var asked []netip.Addr
	table := NewWithHooks(new(clock).now, expiry, 1, Hooks[string]{
		Lookup: func(client netip.Addr, answer func(string, bool)) {
			asked = append(asked, client)
			answer("known", true)
		},
	})
	plain, _ := newTable(10)
	placed := table.Acquire(addr(1))
	place(table, placed, "first")
	for name, c := range map[string]struct {
		table   *Table[string]
		session *Session[string]
	}{
		"placed":         {table, placed},
		"the table full": {table, table.Acquire(addr(2))},
		"detached":       {table, table.Detached()},
		"no hook":        {plain, plain.Acquire(addr(1))},
	} {
		if c.table.Await(c.session, make(wakes)) || len(asked) > 0 {
			t.Errorf("%s: asked for %v", name, asked)
		}
	}
}

// TestObservedHitDoesNotAllocate, once the memory for events is there.
func TestObservedHitDoesNotAllocate(t *testing.T) {
	events := 0
	table, _ := observed(func(Event[string]) { events++ })
	visit(table, addr(1), "x")
	usable := func(string) bool { return true }
	if n := testing.AllocsPerRun(1000, func() {
		s := table.Acquire(addr(1))
		table.Settle(s, usable, nil)
		table.Release(s)
	}); n != 0 || events < 2000 {
		t.Errorf("%v allocations on a hit, want 0; %d events", n, events)
	}
}
