package share

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores/storetest"
)

var errDown = errors.New("down")

// failing returns a Fault of one method.
func failing(method string, with error) storetest.Fault {
	return func(_ context.Context, called string) error {
		if called == method {
			return with
		}
		return nil
	}
}

// TestStoreThatHalfWorks meets the nodes but takes no sessions. It is tried once in a while, and not at the rate at which clients come.
func TestStoreThatHalfWorks(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		store.SetFault(failing("Update", errDown))
		before := store.Requests("Meet")
		const seconds = 60
		for n := range seconds * 100 {
			a.connect(addr(n))
			time.Sleep(10 * time.Millisecond)
		}
		if n := store.Requests("Meet") - before; n > seconds+1 {
			t.Errorf("the nodes were met %d times in %d s", n, seconds)
		}
	})
}

// pause has the store answer nothing until goOn is called.
func pause(store *storetest.Store) (goOn func()) {
	over := make(chan struct{})
	store.SetFault(func(ctx context.Context, _ string) error {
		select {
		case <-over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	return func() { close(over) }
}

// TestPauseOfTheStore has a few clients placed without it, but not those that come after the pause: requests that are under way at the same
// time fail together.
func TestPauseOfTheStore(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		for n := range 100 {
			b.visit(addr(n))
		}
		settle()
		goOn := pause(store)
		for n := range 20 {
			time.Sleep(askPace)
			go a.visit(addr(n))
		}
		time.Sleep(timeout / 2)
		goOn()
		time.Sleep(timeout)
		mustBe(t, "used", a.Working(), true)
		mustBe(t, "what is told", a.told(), []error{})
		for n := 20; n < 100; n++ {
			mustBe(t, "after the pause", a.visit(addr(n)), "B")
		}
	})
}

// TestDeafNode can't hear the news, though the store works else. That is told once, and that it hears them again.
func TestDeafNode(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		store.SetFault(failing("Listen", errDown))
		a := newNode(t, "a", "A")
		a.start(t, store)
		time.Sleep(time.Minute)
		mustBe(t, "what is told", a.told(), []error{errDown})
		mustBe(t, "used", a.Working(), true)
		store.SetFault(nil)
		time.Sleep(2 * retryInterval)
		mustBe(t, "what is told", a.told(), []error{errDown, nil})
		store.SetFault(func(context.Context, string) error { return errDown })
		time.Sleep(time.Minute)
		mustBe(t, "how often an outage is told", len(a.told()), 3)
	})
}

// TestLateAnswersAreTold with the time that there was, which an operator may raise.
func TestLateAnswersAreTold(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		defer pause(store)()
		for n := range tolerated {
			a.visit(addr(n))
		}
		synctest.Wait()
		if told := a.told(); len(told) != 1 || told[0] == nil || !strings.Contains(told[0].Error(), "no answer within "+timeout.String()) {
			t.Errorf("it is told: %v", told)
		}
	})
}

// TestLateIsNoError has lookups time out, be it that the client's time or that of the request is over first. They are counted as late.
func TestLateIsNoError(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		for n := range 100 {
			goOn := pause(store)
			a.visit(addr(n))
			synctest.Wait()
			goOn()
			store.SetFault(nil)
			settle()
			a.visit(addr(1000 + n)) // so that it goes on to be used
		}
		mustBe(t, "late", a.counts.Lookups[Late].Load(), 100)
		mustBe(t, "errors", a.counts.Lookups[Refused].Load(), 0)
	})
}

// partly is a store that has no answer for one client.
type partly struct {
	*storetest.Store
	without netip.Addr
}

func (p partly) Update(ctx context.Context, pool, node string, updates []stores.Update) error {
	err := p.Store.Update(ctx, pool, node, updates)
	for i := range updates {
		if updates[i].Client == p.without {
			updates[i].Kept, updates[i].Known, err = "", false, errDown
		}
	}
	return err
}

// TestStoreThatAnswersPartly has an error for one client, as if a server of a cluster was lost. The others that are asked for in the same request
// are at their targets.
func TestStoreThatAnswersPartly(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		b.start(t, store)
		for n := range 20 {
			b.visit(addr(n))
		}
		settle()
		if err := <-a.Use(partly{store, addr(0)}, timeout); err != nil {
			t.Fatal(err)
		}
		defer a.end()
		visits := make(chan visit, 20)
		for n := range 20 {
			go func() { visits <- a.connect(addr(n)) }()
		}
		at := make(map[string]int)
		for range 20 {
			v := <-visits
			at[v.target]++
			v.close()
		}
		mustBe(t, "targets", at, map[string]int{"A": 1, "B": 19})
		mustBe(t, "found", a.counts.Lookups[Found].Load(), 19)
		mustBe(t, "errors", a.counts.Lookups[Refused].Load(), 1)
	})
}

// TestSlowStore answers too late for clients. It is not told of all sessions each time that this is noticed.
func TestSlowStore(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		for n := range 1000 {
			a.connect(addr(n))
		}
		time.Sleep(2 * tellTime)
		store.SetFault(func(ctx context.Context, method string) error {
			select {
			case <-time.After(2 * timeout):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		before := a.counts.Updates.Load()
		const seconds = 60
		for n := range seconds * 100 {
			a.connect(addr(1000 + n)).close()
			time.Sleep(10 * time.Millisecond)
		}
		// The first thousand are renewed twice in a minute, and each of the others is told of about twice.
		if n := a.counts.Updates.Load() - before; n > 2*1000+3*seconds*100 {
			t.Errorf("%d updates", n)
		}
	})
}

// TestCloseWhileTheStoreHangs leaves nothing behind that goes on for long, however much is pending.
func TestCloseWhileTheStoreHangs(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		store.SetFault(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		for n := range 10 * maxUpdates {
			s := a.table.Acquire(addr(n))
			a.table.Settle(s, nil, func() string { return "A" })
		}
		time.Sleep(2 * FlushInterval)
		began := time.Now()
		a.end()
		if took := time.Since(began); took > time.Second {
			t.Errorf("Close took %v", took)
		}
		time.Sleep(2*callTimeout + time.Second)
		synctest.Wait()
		if stacks := goroutines(); strings.Contains(stacks, "share.(*Sharer)") {
			t.Errorf("goroutines are left:\n%s", stacks)
		}
	})
}

// goroutines returns the stacks of all goroutines.
func goroutines() string {
	stacks := make([]byte, 1<<20)
	return string(stacks[:runtime.Stack(stacks, true)])
}

// TestReleaseOfWhatIsNotHere has the store take a client for live at a node that has no session of it any more, since what the node has told
// came late.
func TestReleaseOfWhatIsNotHere(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		update := stores.Update{Client: addr(1), Target: "A", Live: true, TTL: time.Hour}
		if err := store.Update(context.Background(), pool, "a", []stores.Update{update}); err != nil {
			t.Fatal(err)
		}
		a.Note(addr(1))
		settle()
		mustHold(t, store, addr(1), "A", nil, expiry)
		a.Note(addr(2))
		settle()
		mustHold(t, store, addr(2), "", nil, 0)
	})
}

// lateNews is a store whose news come late.
type lateNews struct {
	*storetest.Store
	late time.Duration
}

func (l lateNews) Listen(ctx context.Context, pool, node string, hear func(stores.News)) error {
	return l.Store.Listen(ctx, pool, node, func(n stores.News) {
		if n != (stores.News{}) {
			time.Sleep(l.late)
		}
		hear(n)
	})
}

// TestOldNews of a client that has been moved on since do not count.
func TestOldNews(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		if err := <-a.Use(lateNews{store, 5 * time.Second}, timeout); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.end)
		b.start(t, store)
		a.visit(addr(1))
		time.Sleep(2 * tellTime)
		atB := b.connect(addr(1))
		atB.move("C")
		synctest.Wait()
		a.Note(addr(1)) // the answer has the client follow
		settle()
		atA := a.connect(addr(1))
		mustBe(t, "before the news", atA.target, "C")
		atA.move("D")
		settle()
		atA.close()
		atB.close()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		mustBe(t, "after the news", a.visit(addr(1)), "D")
		mustBe(t, "at the other node", b.visit(addr(1)), "D")
	})
}

// TestOldSettings have no effect: not even for a moment is what counts at a node older than what it has set.
func TestOldSettings(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		if err := <-a.Use(lateNews{store, time.Second}, timeout); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.end)
		b.start(t, store)
		settle()
		b.Set("A", "drain")
		synctest.Wait()
		a.Set("A", "active")
		time.Sleep(1100 * time.Millisecond) // the news are heard now
		synctest.Wait()
		if got := a.set()["A"]; got == "drain" {
			t.Errorf("at the node that has set it last: %s", got)
		}
		mustBe(t, "at the other one", b.set()["A"], "active")
		time.Sleep(MeetInterval)
		b.Set("A", "maintenance")
		time.Sleep(2 * time.Second)
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.settings["A"] != "maintenance" || a.within <= 0 || a.within > MeetInterval+time.Second {
			t.Errorf("'%s' was told within %v", a.settings["A"], a.within)
		}
	})
}

// TestForgottenClientOfARequest that is under way is not found in the store, which does not know yet.
func TestForgottenClientOfARequest(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		a.visit(addr(1))
		settle()
		updates := make(chan struct{}, 10)
		store.SetFault(func(_ context.Context, method string) error {
			if method == "Update" {
				updates <- struct{}{}
				time.Sleep(timeout / 2 / time.Duration(len(updates)))
			}
			return nil
		})
		a.home = "C"
		a.table.Forget(func(session.Info[string]) bool { return true })
		for len(updates) == 0 {
			time.Sleep(time.Millisecond)
		}
		mustBe(t, "the client", a.visit(addr(1)), "C")
		settle()
		mustHold(t, store, addr(1), "C", nil, expiry)
	})
}

// TestReloadsWhileTheStoreFails do not leave a listener each.
func TestReloadsWhileTheStoreFails(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		var tries atomic.Int64
		store.SetFault(func(_ context.Context, method string) error {
			if method == "Listen" {
				tries.Add(1)
			}
			return errDown
		})
		store.Disconnect()
		for range 20 {
			a.Use(store, timeout)
			time.Sleep(time.Second)
		}
		tries.Store(0)
		time.Sleep(10 * time.Second)
		if n := tries.Load(); n > 11 {
			t.Errorf("%d tries to listen in 10 s", n)
		}
	})
}

// TestSettingsOfAReload are told at once, since the targets may be other ones.
func TestSettingsOfAReload(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		a.Set("B", "drain")
		settle()
		mustBe(t, "before", len(a.set()), 0)
		a.Use(store, timeout)
		synctest.Wait()
		mustBe(t, "after the reload", a.set()["B"], "drain")
	})
}

// TestMemoryAfterAnOutage is given back: the map of what was pending is emptied ten times in a second.
func TestMemoryAfterAnOutage(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		for n := range maxPending {
			a.Note(addr(n))
		}
		a.start(t, store)
		settle()
		settle()
		a.pending.Lock()
		defer a.pending.Unlock()
		began := memory()
		a.pending.changes, a.pending.spare = nil, nil
		if kept := began - memory(); kept > 1<<20 {
			t.Errorf("%d bytes are kept", kept)
		}
	})
}

// memory returns how much is in use.
func memory() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestChangesWhileAllIsTold again are not undone by the answers.
func TestChangesWhileAllIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a, b := newNode(t, "a", "A"), newNode(t, "b", "B")
		a.start(t, store)
		b.start(t, store)
		const clients = 2000
		for n := range clients {
			a.visit(addr(n))
		}
		settle()
		a.home = "C"
		a.table.Forget(func(session.Info[string]) bool { return true })
		for n := range clients {
			mustBe(t, "the client", a.visit(addr(n)), "C")
		}
		settle()
		for n := range clients {
			mustHold(t, store, addr(n), "C", nil, expiry)
			mustBe(t, "the client later", a.visit(addr(n)), "C")
		}
	})
}

// TestSessionsThatNeverExpire are kept in the store, too.
func TestSessionsThatNeverExpire(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.expiry = math.MaxInt64
		a.table.SetLimits(a.expiry, 1<<20)
		a.start(t, store)
		settle()
		for _, live := range []bool{true, false} {
			v := a.connect(addr(1))
			if !live {
				v.close()
			}
			settle()
			if target, holders, left := store.Session(pool, addr(1)); target != "A" || len(holders) != 1 && live || left < 1000*time.Hour {
				t.Errorf("live: %v: the session is at '%s', live at %v, for %v", live, target, holders, left)
			}
		}
	})
}
