package l4sticky

import (
	"net/netip"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A wakeCount counts how often it is woken.
type wakeCount int

func (w *wakeCount) Wake() { *w++ }

// TestSessionLookup has two connections of a client wait for one answer, and follow it.
func TestSessionLookup(t *testing.T) {
	for name, found := range map[string]bool{"found": true, "nothing": false} {
		t.Run(name, func(t *testing.T) {
			v := joinAs(t, newConfig(t), t.Name(), time.Minute, "127.0.0.1:1", "127.0.0.1:2")
			t.Cleanup(v.quit)
			home := v.targets.Place(visitor, all)
			elsewhere := v.targets.Place(visitor, func(m *target.Member) bool { return m != home })
			v.sharing.Store(new(sharing))
			defer v.sharing.Store(nil)
			var answer func(*target.Target, bool)
			asked := 0
			v.sessions = session.NewWithHooks(monotonic, time.Minute, 10, session.Hooks[*target.Target]{
				Lookup: func(_ netip.Addr, a func(*target.Target, bool)) { answer, asked = a, asked+1 },
			})
			var woken wakeCount
			var lookups [2]sessionLookup
			var held [2]*clientSession
			for i := range lookups {
				held[i], _ = v.acquire(visitor, 0)
				defer v.sessions.Release(held[i])
				if !lookups[i].mustWait(v.pool, held[i], &woken) {
					t.Fatal("does not wait for the answer")
				}
			}
			want := home
			if found {
				want = elsewhere
				answer(elsewhere.Target, true)
			} else {
				answer(nil, false)
			}
			for i := range lookups {
				if lookups[i].mustWait(v.pool, held[i], &woken) || lookups[i].known != found {
					t.Errorf("after the answer: %+v", lookups[i])
				}
				if got := v.settle(held[i], visitor, all); got != want {
					t.Errorf("at %v, want %v", got.Config.Address, want.Config.Address)
				}
			}
			if woken != 2 || asked != 1 {
				t.Errorf("woken %d times, asked %d times", woken, asked)
			}
		})
	}
}

// TestNoSessionLookup costs a connection nothing that waits.
func TestNoSessionLookup(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "127.0.0.1:1")
	t.Cleanup(v.quit)
	for _, known := range []bool{false, true} {
		s, _ := v.acquire(visitor, 0)
		defer v.sessions.Release(s)
		var lookup sessionLookup
		if lookup.mustWait(v.pool, s, nil) || lookup.known != known {
			t.Errorf("%+v, want known to be %v", lookup, known)
		}
		home := v.settle(s, visitor, all)
		v.sessions.Reach(s, home.Target)
	}
}
