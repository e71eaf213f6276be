package session

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// A rig does the same with a table and with its model.
type rig struct {
	table     *Table[string]
	clock     *clock
	model     model
	replica   replica
	events    []Event[string]
	woken     []int
	waiters   int
	questions []*question
	held      map[netip.Addr][]handle
	fault     error // of the last operation
}

// A handle is a reference to a session.
type handle struct {
	session  *Session[string]
	modelled *modelled
}

// A question is a lookup that waits for its answer.
type question struct {
	client   netip.Addr
	answer   func(string, bool)
	modelled *modelled
	lookup   *modelledLookup
}

type rigWaiter struct {
	rig *rig
	id  int
}

func (w rigWaiter) Wake() { w.rig.woken = append(w.rig.woken, w.id) }

func newRig(capacity int) *rig {
	r := &rig{clock: new(clock), model: model{capacity: capacity, sessions: make(map[netip.Addr]*modelled)}, held: make(map[netip.Addr][]handle)}
	r.table = NewWithHooks(r.clock.now, expiry, capacity, Hooks[string]{
		Observe: func(e Event[string]) {
			r.events = append(r.events, e)
			r.replica.observe(e)
		},
		Lookup: func(client netip.Addr, answer func(string, bool)) {
			r.questions = append(r.questions, &question{client: client, answer: answer})
		},
	})
	r.table.armed.Store(true) // keeps the timer from expiring sessions, which only operations do here
	return r
}

// reset empties the table for another sequence of operations.
func (r *rig) reset() {
	for _, handles := range r.held {
		for _, h := range handles {
			r.table.Release(h.session)
		}
	}
	if r.table.Len() > 0 {
		r.table.Clear()
	}
	clear(r.held)
	clear(r.model.sessions)
	r.events, r.woken, r.questions, r.model.events, r.model.woken = nil, nil, nil, nil, nil
}

func (r *rig) advance(d time.Duration) {
	r.clock.advance(d)
	r.model.now += d
}

// mustAgree notes a difference between the table and the model.
func (r *rig) mustAgree(got, want any) {
	if got != want && r.fault == nil {
		r.fault = fmt.Errorf("got %v, want %v", got, want)
	}
}

// check looks for all differences that there are since it was called before.
func (r *rig) check() error {
	want := make(map[netip.Addr]stay)
	for client, s := range r.model.sessions {
		if s.target != "" {
			want[client] = stay{s.target, s.refs == 0}
		}
	}
	byClient := func(a, b Event[string]) int { return a.Client.Compare(b.Client) }
	slices.SortStableFunc(r.events, byClient)
	slices.SortStableFunc(r.model.events, byClient)
	slices.Sort(r.woken)
	slices.Sort(r.model.woken)
	content := stays(r.table, maxClients)
	switch {
	case r.fault != nil:
		return r.fault
	case r.replica.fault != nil:
		return r.replica.fault
	case !maps.Equal(content, want):
		return fmt.Errorf("the table has %v, want %v", content, want)
	case !maps.Equal(content, r.replica.stays):
		return fmt.Errorf("the table has %v, but the events tell of %v", content, r.replica.stays)
	case !slices.Equal(r.events, r.model.events):
		return fmt.Errorf("the events are %v, want %v", r.events, r.model.events)
	case !slices.Equal(r.woken, r.model.woken):
		return fmt.Errorf("woken are %v, want %v", r.woken, r.model.woken)
	case r.table.Len() != len(r.model.sessions):
		return fmt.Errorf("%d sessions, want %d", r.table.Len(), len(r.model.sessions))
	}
	r.events, r.woken, r.model.events, r.model.woken = nil, nil, nil, nil
	return nil
}

// An operation is one step of a sequence. Do reports false, and does nothing, where it makes no sense.
type operation struct {
	name string
	do   func(*rig) bool
}

// maxClients is how many clients a rig has at most.
const maxClients = 4

// operations returns all operations with so many clients.
func operations(clients int) (all []operation) {
	for n := range clients {
		all = append(all, clientOperations(addr(n))...)
	}
	always := func(do func(*rig)) func(*rig) bool {
		return func(r *rig) bool { do(r); return true }
	}
	return append(all,
		operation{"advance", always(func(r *rig) { r.advance(expiry) })},
		operation{"restore all", func(r *rig) bool { return clients > 1 && r.restore(clients) > 0 }},
		operation{"expire", always(func(r *rig) {
			r.table.expire()
			r.model.sweep(r.model.expired, Expired)
		})},
		operation{"clear", always(func(r *rig) {
			r.table.Clear()
			r.model.sweep(func(*modelled) bool { return true }, Forgotten)
		})})
}

// clientOperations are those of one client, which has up to two connections.
func clientOperations(client netip.Addr) []operation {
	settle := func(usable func(string) bool, modelUsable func(string) string, place string) func(*rig, handle) {
		return func(r *rig, h handle) {
			want := r.model.settle(h.modelled, modelUsable(h.modelled.target), place)
			r.mustAgree(r.table.Settle(h.session, usable, func() string { return place }), want)
		}
	}
	only := func(s string) func(string) string { return func(string) string { return s } }
	all := []operation{{"acquire", func(r *rig) bool {
		if len(r.held[client]) == 2 {
			return false
		}
		r.held[client] = append(r.held[client], handle{r.table.Acquire(client), r.model.acquire(client)})
		return true
	}}}
	for name, do := range map[string]func(*rig, handle){
		"settle":       settle(func(string) bool { return true }, func(s string) string { return s }, "A"),
		"move":         settle(func(s string) bool { return s == "B" }, only("B"), "B"),
		"find nothing": settle(func(string) bool { return false }, only(""), ""),
		"reach B": func(r *rig, h handle) {
			r.mustAgree(r.table.Reach(h.session, "B"), r.model.reach(h.modelled, "B"))
		},
		"return to A": func(r *rig, h handle) {
			r.mustAgree(r.table.Return(h.session, func() string { return "A" }), r.model.goHome(h.modelled, "A"))
		},
		"await": (*rig).await,
		"release": func(r *rig, h handle) {
			r.table.Release(h.session)
			r.model.release(h.modelled)
			r.held[client] = r.held[client][1:]
		},
	} {
		all = append(all, operation{name, func(r *rig) bool {
			if len(r.held[client]) == 0 {
				return false
			}
			do(r, r.held[client][0])
			return true
		}})
	}
	all = append(all, operation{"forget", func(r *rig) bool {
		want := r.model.forget(client)
		r.mustAgree(r.table.Forget(func(i Info[string]) bool { return i.Client == client }), want)
		return want > 0
	}})
	all = append(all, operation{"relocate", func(r *rig) bool {
		want, wantLeft := r.model.relocate(client, "A")
		got, left := r.table.Relocate(func(i Info[string]) string {
			if i.Client == client {
				return "A"
			}
			return ""
		})
		r.mustAgree(got, want)
		r.mustAgree(left, wantLeft)
		return want+wantLeft > 0
	}})
	all = append(all, operation{"restore", func(r *rig) bool { return r.restoreOne(client) > 0 }})
	for _, target := range []string{"", "C"} {
		all = append(all, operation{fmt.Sprintf("follow %q", target), func(r *rig) bool {
			before := len(r.model.events)
			want := r.model.follow(client, target)
			r.mustAgree(r.table.Follow(client, target), want)
			return len(r.model.events) > before
		}})
		all = append(all, operation{fmt.Sprintf("answer %q", target), func(r *rig) bool { return r.answer(client, target) }})
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	for i := range all {
		all[i].name += " of " + client.String()
	}
	return all
}

// idleFor is for how long a client has been idle that is restored. No other session becomes idle at the same moment.
func idleFor(client int) time.Duration {
	return expiry/2 + time.Duration(client+1)*time.Microsecond
}

// restore restores the sessions of so many clients, the one that has been idle longest first.
func (r *rig) restore(clients int) (restored int) {
	var infos []Info[string]
	for n := clients - 1; n >= 0; n-- {
		infos = append(infos, Info[string]{Client: addr(n), Target: "D", IdleSince: r.clock.now() - idleFor(n)})
	}
	restored = r.table.restore(infos)
	slices.Reverse(infos)
	r.mustAgree(restored, r.model.restore(infos...))
	return restored
}

// restoreOne restores a client that had left its target.
func (r *rig) restoreOne(client netip.Addr) (restored int) {
	info := Info[string]{Client: client, Target: "B", Moved: true, IdleSince: r.clock.now() - idleFor(maxClients)}
	restored = r.table.restore([]Info[string]{info})
	r.mustAgree(restored, r.model.restore(info))
	return restored
}

func (r *rig) await(h handle) {
	r.waiters++
	asked := len(r.questions)
	waits, lookup := r.model.await(h.modelled, r.waiters)
	r.mustAgree(r.table.Await(h.session, rigWaiter{r, r.waiters}), waits)
	r.mustAgree(len(r.questions) > asked, lookup != nil)
	if len(r.questions) > asked {
		q := r.questions[asked]
		q.modelled, q.lookup = h.modelled, lookup
	}
}

// answer answers the oldest question about a client.
func (r *rig) answer(client netip.Addr, target string) bool {
	i := slices.IndexFunc(r.questions, func(q *question) bool { return q.client == client })
	if i < 0 {
		return false
	}
	q := r.questions[i]
	r.questions = slices.Delete(r.questions, i, i+1)
	r.model.answer(q.modelled, q.lookup, target)
	q.answer(target, target != "")
	q.answer("late", true)
	return true
}

// step does an operation a moment after the one before.
func (r *rig) step(o operation) bool {
	r.advance(time.Millisecond)
	return o.do(r)
}

// TestEveryOrder does all operations in every order.
func TestEveryOrder(t *testing.T) {
	for _, c := range []struct {
		clients, capacity, depth int
		other                    bool // also what comes from other tables
	}{{1, 1, 5, false}, {2, 1, 4, false}, {2, 2, 4, false}, {1, 1, 4, true}, {2, 1, 3, true}, {2, 2, 3, true}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			r, all, sequences := newRig(c.capacity), operations(c.clients), 0
			if !c.other {
				all = slices.DeleteFunc(all, func(o operation) bool {
					return strings.HasPrefix(o.name, "follow") || strings.HasPrefix(o.name, "restore")
				})
			}
			var explore func(sequence []operation)
			explore = func(sequence []operation) {
				for _, last := range all {
					r.reset()
					for _, o := range sequence {
						r.step(o)
					}
					if !r.step(last) {
						continue
					}
					sequences++
					next := append(slices.Clip(sequence), last)
					if err := r.check(); err != nil {
						t.Fatalf("%v: %v", names(next), err)
					}
					if len(next) < c.depth {
						explore(next)
					}
				}
			}
			explore(nil)
			t.Logf("%d sequences", sequences)
		})
	}
}

func names(sequence []operation) (all []string) {
	for _, o := range sequence {
		all = append(all, o.name)
	}
	return all
}

// FuzzTable does operations in any order.
func FuzzTable(f *testing.F) {
	all := operations(maxClients)
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
	f.Fuzz(func(t *testing.T, sequence []byte) {
		r := newRig(2)
		for i, b := range sequence[:min(len(sequence), 1000)] {
			o := all[int(b)%len(all)]
			r.step(o)
			if err := r.check(); err != nil {
				t.Fatalf("operation %d, %s: %v", i, o.name, err)
			}
		}
	})
}
