package session

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
)

// TestPanicInExpiry ends one look at what is expired, and the next one finds it all.
func TestPanicInExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, clock := newTable(10)
		visit(table, addr(1), "first")
		clock.advance(expiry)
		panicked := safelytest.Inject(t, "session expiry", 3)
		time.Sleep(2 * expiry)
		synctest.Wait()
		if n := panicked(); n != 3 || table.Len() != 0 {
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
