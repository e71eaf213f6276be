package share

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
