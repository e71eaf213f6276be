package session

import (
	"net/netip"
	"sync"
	"testing"
	"time"
)

// TestList goes through a table page by page, each session once, and finds what matches.
func TestList(t *testing.T) {
	const sessions = 5000
	table, clock := newTable(sessions)
	targets := []string{"A", "B", "C"}
	for n := range sessions {
		s := table.Acquire(addr(n))
		place(table, s, targets[n%3])
		if n%2 == 0 {
			table.Release(s)
		}
		clock.advance(time.Microsecond)
	}
	for name, match := range map[string]func(Info[string]) bool{
		"all":    func(Info[string]) bool { return true },
		"live":   Info[string].Live,
		"at A":   func(i Info[string]) bool { return i.Target == "A" },
		"none":   func(Info[string]) bool { return false },
		"client": func(i Info[string]) bool { return i.Client == addr(77) },
	} {
		for _, limit := range []int{1, 7, 128, sessions, 2 * sessions} {
			if limit == 1 && name != "client" {
				continue // takes its time
			}
			seen := make(map[netip.Addr]Info[string])
			position, more := Position{}, true
			for more {
				var page []Info[string]
				page, position, more = table.List(position, limit, match)
				if len(page) > limit || more != (len(page) == limit) {
					t.Fatalf("%s: a page of %d, more: %v", name, len(page), more)
				}
				for _, info := range page {
					if _, twice := seen[info.Client]; twice {
						t.Fatalf("%s: %v comes twice", name, info.Client)
					}
					seen[info.Client] = info
				}
			}
			for n := range sessions {
				want := Info[string]{Client: addr(n), Target: targets[n%3], Connections: n % 2, Since: time.Duration(n) * time.Microsecond}
				if n%2 == 0 {
					want.IdleSince = want.Since
				}
				got, listed := seen[addr(n)]
				if listed != match(want) {
					t.Fatalf("%s: %v is listed: %v", name, addr(n), listed)
				}
				if peeked, found := table.Peek(addr(n)); listed && (!found || peeked != got || got != want) {
					t.Fatalf("%s: got %+v and %+v, want %+v", name, got, peeked, want)
				}
			}
		}
	}
	if _, found := table.Peek(addr(sessions)); found {
		t.Error("a client without a session has one")
	}
}

// TestListWhileItChanges lists each session that is there all the time, while others come and go.
func TestListWhileItChanges(t *testing.T) {
	const stay, passing = 3000, 20000
	table, _ := newTable(stay + passing)
	for n := range stay {
		visit(table, addr(n), "A")
	}
	stop := make(chan struct{})
	var changing sync.WaitGroup
	for worker := range 2 {
		changing.Go(func() {
			for n := worker; ; n += 2 {
				select {
				case <-stop:
					return
				default:
				}
				s := table.Acquire(addr(stay + n%passing))
				place(table, s, "B")
				table.Release(s)
				if n%1000 < 2 {
					table.Forget(func(i Info[string]) bool { return i.Target == "B" })
				}
			}
		})
	}
	for range 3 {
		seen := 0
		for position, more := (Position{}), true; more; {
			var page []Info[string]
			page, position, more = table.List(position, 100, func(i Info[string]) bool { return i.Target == "A" })
			seen += len(page)
		}
		if seen != stay {
			t.Errorf("%d sessions are listed, want %d", seen, stay)
		}
	}
	close(stop)
	changing.Wait()
}

// TestForget has a client with connections placed anew with its next one, and leaves nothing behind.
func TestForget(t *testing.T) {
	table, clock := newTable(10)
	visit(table, addr(1), "A")
	live := table.Acquire(addr(2))
	place(table, live, "A")
	visit(table, addr(3), "B")
	if n := table.Forget(func(i Info[string]) bool { return i.Target == "A" }); n != 2 || table.Len() != 2 {
		t.Fatalf("%d are forgotten, and %d left", n, table.Len())
	}
	clock.advance(time.Second)
	if got := visit(table, addr(2), "B"); got != "B" {
		t.Errorf("the next connection of a client goes to %q", got)
	}
	if got := visit(table, addr(1), "C"); got != "C" {
		t.Errorf("a client whose session is forgotten goes to %q", got)
	}
	table.Release(live)
	table.Forget(func(Info[string]) bool { return true })
	if page, _, _ := table.List(Position{}, 10, func(Info[string]) bool { return true }); table.Len() != 0 || len(page) > 0 {
		t.Errorf("%d sessions are left: %v", table.Len(), page)
	}
}

func TestWalk(t *testing.T) {
	table, clock := newTable(1000)
	for i := range 300 {
		visit(table, addr(i), "x")
	}
	clock.advance(expiry)
	live := table.Acquire(addr(1000))
	defer table.Release(live)
	place(table, live, "live")
	defer table.Release(table.Acquire(addr(1001))) // has no target
	for i := 400; i < 700; i++ {
		visit(table, addr(i), "x")
	}
	seen := make(map[netip.Addr]int)
	table.Walk(func(i Info[string]) {
		seen[i.Client]++
		if i.Live() != (i.Client == addr(1000)) {
			t.Errorf("%+v", i)
		}
		visit(table, i.Client, "x") // no lock is held
	})
	if len(seen) != 301 {
		t.Errorf("walked by %d clients, want 301", len(seen))
	}
	for client, times := range seen {
		if times != 1 {
			t.Errorf("%v came %d times", client, times)
		}
	}
}
