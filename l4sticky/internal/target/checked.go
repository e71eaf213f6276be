package target

import (
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// Rules tell what the results of a target's health checks mean.
type Rules struct {
	// Rise is how many checks must pass in a row until the target is up again.
	Rise int
	// Fall is how many checks must fail in a row until the target is down.
	Fall int
	// Serves means that a check which passes shows that the target serves, and not only that it accepts connections.
	Serves bool
}

// A Change is what the result of a check has changed. At most one of Fell, and Rose or Activated, is true.
type Change struct {
	// Fell means that the target is down from now on.
	Fell bool
	// Rose means that the target was down, for as long as DownFor, and is up.
	Rose    bool
	DownFor time.Duration
	// Activated means that a deactivation has ended, which began DeactivatedFor ago.
	Activated      bool
	DeactivatedFor time.Duration
}

// A tally counts the results of checks. Its zero value is that of a target that was not checked yet, which is up.
type tally struct {
	any           bool // there was a result
	passed, fails int  // in a row; both stop at what they are compared with
}

// fail takes a check that failed, and reports whether there were enough of them. The very first check is enough, since nothing
// is known of the target before.
func (c *tally) fail(fall int) bool {
	first := !c.any
	*c = tally{any: true, fails: min(c.fails+1, fall)}
	return first || c.fails == fall
}

// pass takes a check that passed, and reports whether there were enough of them.
func (c *tally) pass(rise int) bool {
	*c = tally{any: true, passed: min(c.passed+1, rise)}
	return c.passed == rise
}

// Checked takes the result of a check that began at a time of the registry's clock, and returns what that changes. A target that is
// down gets no new connections until enough checks have passed. That also ends a deactivation before its time, unless it
// was asked for, or the target serves nobody and the check does not show that it does. A check that passed and began before
// the deactivation shows nothing.
func (t *Target) Checked(passed bool, began time.Duration, r Rules) Change {
	c := t.checked(passed, began, r)
	switch {
	case c.Fell:
		t.wakeQueue()
	case c.Rose || c.Activated:
		t.wake()
	}
	return c
}

func (t *Target) checked(passed bool, began time.Duration, r Rules) (c Change) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !passed {
		if t.checks.fail(r.Fall) && !t.down.Load() {
			t.down.Store(true)
			t.downSince = t.now()
			c.Fell = true
		}
		return c
	}
	if t.inactiveUntil.Load() != 0 && began < t.deactivated || !t.checks.pass(r.Rise) {
		return c
	}
	if t.down.Load() {
		t.down.Store(false)
		c.Rose, c.DownFor = true, t.now()-t.downSince
		t.returned.Store(int64(t.now()))
	}
	if t.unsyncedMayActivate(r.Serves) {
		t.unsyncedReturn()
		c.Activated, c.DeactivatedFor = true, t.now()-t.deactivated
	}
	return c
}

// unsyncedMayActivate reports whether there is a deactivation that a check which passed ends. The lock must be held.
func (t *Target) unsyncedMayActivate(serves bool) bool {
	switch {
	case t.inactiveUntil.Load() == 0:
		return false
	case !t.Deactivated():
		return true // its time is over
	case t.asked:
		return false
	}
	return serves || !t.mute || t.Bytes.Bytes(flow.Target) != t.sentBefore
}

// Unchecked forgets all results, since the target is not checked any more. It is not down then.
func (t *Target) Unchecked() {
	defer t.wake()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.checks = tally{}
	if t.down.Load() {
		t.down.Store(false)
		t.returned.Store(int64(t.now()))
	}
}

// Down reports whether checks have failed so that the target gets no new connections.
func (t *Target) Down() bool { return t.down.Load() }
