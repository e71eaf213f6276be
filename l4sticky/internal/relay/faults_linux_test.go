package relay

import (
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
)

// TestPanicInLookup is an error of the dial.
func TestPanicInLookup(t *testing.T) {
	client, down, picker, _ := seekers(t, named{})
	panicked := safelytest.InjectOnce(t, "lookup")
	mustGo(t, down, picker)
	expectEnd(t, client)
	<-picker.lost
	if _, _, errs := picker.log(); len(errs) != 1 || errs[0] != safely.ErrPanic {
		t.Errorf("failed: %v", errs)
	}
	safelytest.AwaitPanic(t, panicked) // it is counted after its search has ended
}

// TestPanicAtIdlePipes is made up for when pipes are idle the next time.
func TestPanicAtIdlePipes(t *testing.T) {
	if testing.Short() {
		t.Skip("pipes are idle after seconds")
	}
	panicked := safelytest.InjectOnce(t, "idle pipes")
	p := pipes.get(time.Since(began))
	if p == nil {
		t.Fatal("no pipe")
	}
	pipes.put(p, true)
	safelytest.AwaitPanic(t, panicked)
	if idlePipes.Load() {
		t.Error("nobody looks for idle pipes any more")
	}
	pipes.closeIdle()
}
