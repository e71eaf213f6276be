package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// TestPanicInExpiry ends one look at what is expired, and the next one finds it all.
func TestPanicInExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, clock := newTable(10)
		visit(table, addr(1), "first")
		clock.advance(expiry)
		faults := 3
		t.Cleanup(safely.Inject(func(place string) {
			if place == "session expiry" && faults > 0 {
				faults--
				panic("injected")
			}
		}))
		before := safely.Panics()
		time.Sleep(2 * expiry)
		synctest.Wait()
		if n := safely.Panics() - before; n != 3 || table.Len() != 0 {
			t.Errorf("%d panics, and %d sessions are left", n, table.Len())
		}
	})
}

// TestPanicInSettle lets go of the client's part of the table.
func TestPanicInSettle(t *testing.T) {
	table, _ := newTable(10)
	s := table.Acquire(addr(1))
	safely.Do("test", func() { table.Settle(s, nil, func() string { panic("injected") }) })
	table.Release(s)
	if got := visit(table, addr(1), "first"); got != "first" || table.Len() != 1 {
		t.Errorf("the client is at %q, with %d sessions", got, table.Len())
	}
}
