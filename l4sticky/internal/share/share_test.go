package share

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores/storetest"
)

// TestNodesAgree has a client come to one node after the other, and at the same time.
func TestNodesAgree(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		mustBe(t, "at the first node", a.visit(addr(1)), "A")
		v := b.connect(addr(1))
		mustBe(t, "at the second node", v.target, "A")
		mustBe(t, "the client is known", v.known, true)
		v.close()
		var wg sync.WaitGroup
		var targets [200][2]string
		for i := range targets {
			for j, n := range []*node{a, b} {
				wg.Go(func() { targets[i][j] = n.visit(addr(100 + i)) })
			}
		}
		wg.Wait()
		for i, pair := range targets {
			if pair[0] != pair[1] {
				t.Fatalf("client %d is at %v", i, pair)
			}
		}
	})
}

// TestOneQuestion has ten connections of a new client ask once.
func TestOneQuestion(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		store.SetFault(func(ctx context.Context, method string) error { time.Sleep(timeout / 2); return nil })
		before := store.Requests("Update")
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { a.connect(addr(1)) })
		}
		wg.Wait()
		mustBe(t, "requests", store.Requests("Update")-before, 1)
		mustBe(t, "claimed", a.counts.Lookups[Claimed].Load(), 1)
	})
}

// TestExpiryCountsFromTheLastClose on any node.
func TestExpiryCountsFromTheLastClose(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		atA, atB := a.connect(addr(1)), b.connect(addr(1))
		settle()
		mustHold(t, store, addr(1), "A", []string{"a", "b"}, expiry+Lease)
		atA.close()
		time.Sleep(10 * expiry) // the other connection is open
		synctest.Wait()
		mustHold(t, store, addr(1), "A", []string{"b"}, expiry+Lease)
		mustBe(t, "the client comes back", a.visit(addr(1)), "A")
		atB.close()
		settle()
		mustHold(t, store, addr(1), "A", nil, expiry)
		time.Sleep(expiry)
		synctest.Wait()
		mustHold(t, store, addr(1), "", nil, 0)
	})
}

// TestVanishedNode lets go of its leases.
func TestVanishedNode(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		a.connect(addr(1))
		settle()
		mustBe(t, "nodes", len(b.Nodes()), 2)
		a.closed.Store(true) // as if it were killed
		a.cancel()
		time.Sleep(expiry + Lease + time.Second)
		mustBe(t, "after the lease", b.visit(addr(1)), "B")
		mustBe(t, "nodes", len(b.Nodes()), 1)
	})
}

// TestLeaving lets go of a node and of what it has, at once.
func TestLeaving(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		v := a.connect(addr(1))
		settle()
		v.close()
		a.end()
		mustHold(t, store, addr(1), "A", nil, expiry)
		time.Sleep(MeetInterval)
		synctest.Wait()
		if nodes := b.Nodes(); len(nodes) != 1 || nodes[0].ID != "b" || nodes[0].Host != "host-b" {
			t.Errorf("nodes %+v", nodes)
		}
	})
}

// TestMovedClient goes to its new target at all nodes, with its next connection where it has one.
func TestMovedClient(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b, c := newNode(t, "a", "A"), newNode(t, "b", "B"), newNode(t, "c", "C")
		for _, n := range []*node{a, b, c} {
			n.start(t, store)
		}
		atA, atB := a.connect(addr(1)), b.connect(addr(1))
		c.visit(addr(1))
		settle()
		atA.move("D")
		synctest.Wait()
		mustBe(t, "at the node where it was idle", c.visit(addr(1)), "D")
		mustBe(t, "at the node where it is live", b.visit(addr(1)), "A")
		atB.close()
		settle()
		mustBe(t, "at that node later", b.visit(addr(1)), "D")
		mustBe(t, "at the node that has moved it", a.visit(addr(1)), "D")
	})
}

// TestForgottenClient is placed anew at all nodes, and not where the store still has it.
func TestForgottenClient(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		a.visit(addr(1))
		b.visit(addr(1))
		settle()
		a.home = "C"
		a.table.Forget(func(i session.Info[string]) bool { return true })
		mustBe(t, "at once", a.visit(addr(1)), "C")
		settle()
		mustHold(t, store, addr(1), "C", nil, expiry)
		mustBe(t, "at the other node", b.visit(addr(1)), "C")
		settle()
		a.table.Forget(func(i session.Info[string]) bool { return true })
		settle()
		mustHold(t, store, addr(1), "", nil, 0)
		mustBe(t, "sessions at the other node", b.table.Len(), 0)
	})
}

// TestUnknownTarget of another node does not count, and is replaced.
func TestUnknownTarget(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.unknown = "X"
		a.start(t, store)
		store.Put(pool, addr(1), "X", expiry)
		v := a.connect(addr(2))
		v.close()
		settle()
		a.note(addr(2), change{})
		store.Put(pool, addr(2), "X", expiry)
		settle()
		settle()
		mustHold(t, store, addr(2), "A", nil, expiry)
	})
}

// TestFailingStore is not noticed by clients, but in that they wait for the first few answers. All is told when it works again.
func TestFailingStore(t *testing.T) {
	t.Cleanup(safely.SetReporter(func(string, any, []byte) {}))
	errDown := errors.New("down")
	for name, fault := range map[string]func(context.Context, string) error{
		"refuses": func(context.Context, string) error { return errDown },
		"hangs":   func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() },
		"panics":  func(context.Context, string) error { panic("store") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, store *storetest.Store) {
				a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
				a.start(t, store)
				b.start(t, store)
				a.visit(addr(1))
				settle()
				store.SetFault(fault)
				waited := 0
				for n := range 100 {
					v := a.connect(addr(10 + n))
					mustBe(t, "while it fails", v.target, "A")
					if v.waited > timeout {
						t.Errorf("client %d waits for %v", n, v.waited)
					}
					if v.waited > 0 {
						waited++
					}
				}
				if waited > tolerated+1 { // the last request may fail just after the next client has come
					t.Errorf("%d clients have waited", waited)
				}
				mustBe(t, "a client that is known", a.visit(addr(1)), "A")
				time.Sleep(time.Minute)
				mustBe(t, "used", a.Working(), false)
				mustBe(t, "how often that is told", len(a.told()), 1)
				store.SetFault(nil)
				time.Sleep(callTimeout + retryInterval + tellTime + time.Second)
				mustBe(t, "used again", a.Working(), true)
				mustBe(t, "how often that is told", len(a.told()), 2)
				for n := range 100 {
					mustHold(t, store, addr(10+n), "A", []string{"a"}, expiry+Lease)
				}
				mustBe(t, "at another node", b.visit(addr(10)), "A")
			})
		})
	}
}

// TestStoreThatForgets is told again what the nodes have, also of clients without connections.
func TestStoreThatForgets(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		a.visit(addr(1))
		a.connect(addr(2))
		a.Set("A", "drain")
		settle()
		store.Flush()
		time.Sleep(MeetInterval + tellTime + time.Second)
		synctest.Wait()
		mustHold(t, store, addr(1), "A", nil, expiry-MeetInterval-tellTime-time.Second)
		mustHold(t, store, addr(2), "A", []string{"a"}, expiry+Lease)
		mustBe(t, "at another node", b.visit(addr(1)), "A")
		time.Sleep(MeetInterval)
		mustBe(t, "what was set", b.set()["A"], "drain")
	})
}

// TestMissedNews are made up for when the node listens again.
func TestMissedNews(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		b.visit(addr(1))
		v := a.connect(addr(1))
		time.Sleep(tellTime + time.Second) // all is told once when the nodes begin
		store.SetFault(func(_ context.Context, method string) error {
			if method == "Listen" {
				return storetest.ErrMissed
			}
			return nil
		})
		store.Disconnect()
		v.move("C")
		settle()
		mustBe(t, "the node that hears nothing", b.visit(addr(1)), "B")
		store.SetFault(nil)
		time.Sleep(retryInterval + tellTime + time.Second)
		mustBe(t, "when it listens again", b.visit(addr(1)), "C")
	})
}

// TestSettings of operators reach all nodes, and the last one counts.
func TestSettings(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		settle()
		a.Set("A", "drain")
		synctest.Wait()
		mustBe(t, "at the other node", b.set(), map[string]string{"A": "drain"})
		b.Set("A", "active")
		synctest.Wait()
		mustBe(t, "at the first node", a.set(), map[string]string{"A": "active"})
		c := newNode(t, "c", "C")
		c.start(t, store)
		synctest.Wait()
		mustBe(t, "at a node that comes later", c.set(), map[string]string{"A": "active"})
		store.SetFault(func(context.Context, string) error { return errors.New("down") })
		a.Set("A", "maintenance")
		time.Sleep(time.Minute)
		store.SetFault(nil)
		time.Sleep(2 * MeetInterval)
		mustBe(t, "what was set while the store failed", fmt.Sprint(b.set(), c.set()), "map[A:maintenance] map[A:maintenance]")
	})
}

// TestClientThatLeaves before the answer does not stay live in the store.
func TestClientThatLeaves(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		store.SetFault(func(context.Context, string) error { time.Sleep(timeout / 2); return nil })
		s := a.table.Acquire(addr(1))
		a.table.Await(s, make(wakes, 1))
		a.table.Release(s)
		time.Sleep(timeout)
		settle()
		mustHold(t, store, addr(1), "A", nil, expiry)
	})
}

// TestLateAnswer does not move a client that was placed meanwhile, and is settled behind it.
func TestLateAnswer(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		store.Put(pool, addr(1), "B", time.Hour)
		store.SetFault(func(ctx context.Context, _ string) error { time.Sleep(2 * timeout); return nil })
		v := a.connect(addr(1))
		mustBe(t, "the target", v.target, "A")
		mustBe(t, "waited", v.waited, timeout)
		mustBe(t, "late", a.counts.Lookups[Late].Load(), 1)
		store.SetFault(nil)
		v.close()
		settle()
		mustBe(t, "the next connection", a.visit(addr(1)), "B")
	})
}

// TestManyNewClients at once are asked for in few requests, and none waits for long.
func TestManyNewClients(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		store.SetFault(func(context.Context, string) error { time.Sleep(time.Millisecond); return nil })
		before := store.Requests("Update")
		var wg sync.WaitGroup
		for n := range 2000 {
			wg.Go(func() {
				if v := a.connect(addr(n)); v.waited > timeout {
					t.Errorf("client %d waits for %v", n, v.waited)
				}
			})
		}
		wg.Wait()
		if requests := store.Requests("Update") - before; requests > 50 {
			t.Errorf("%d requests", requests)
		}
	})
}

// TestOtherStore takes the place of one without a gap.
func TestOtherStore(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		b.visit(addr(1))
		v := a.connect(addr(1))
		settle()
		b.Use(store, 2*timeout)
		v.move("C")
		synctest.Wait()
		mustBe(t, "after the change", b.visit(addr(1)), "C")
		mustBe(t, "listeners", store.Requests("Listen"), 3)
	})
}

// TestPaceOfRenewals has each session with connections renewed once in an interval.
func TestPaceOfRenewals(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		for n := range 5000 {
			a.connect(addr(n))
		}
		time.Sleep(2 * tellTime)
		before := a.counts.Updates.Load()
		time.Sleep(2 * RenewInterval)
		if n := a.counts.Updates.Load() - before; n < 9900 || n > 10100 {
			t.Errorf("%d updates in two intervals", n)
		}
	})
}

// TestPendingIsBounded while a store fails for long.
func TestPendingIsBounded(t *testing.T) {
	a := newNode(t, "a", "A")
	for n := range 2 * maxPending {
		a.Note(addr(n))
	}
	changes, lost := a.takePending()
	if len(changes) != maxPending || !lost {
		t.Errorf("%d changes, lost: %v", len(changes), lost)
	}
	if slices.ContainsFunc([]netip.Addr{addr(0)}, func(c netip.Addr) bool { return changes[c].any }) {
		t.Error("forgotten")
	}
}
