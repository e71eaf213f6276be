package target

import (
	"net/netip"
	"slices"
	"time"
)

// several is how many clients must wait for a target at the same time to make it suspect: one may have lost a packet.
const several = 2

// A lateDial is one that has not succeeded in good time.
type lateDial struct {
	client netip.Addr
	until  time.Duration // when it would have failed; it counts no longer than that
}

// Suspect reports whether dials of several clients wait for the target, and none has succeeded since they are late.
// It should get new connections only if there is no other.
func (t *Target) Suspect() bool { return t.suspect.Load() }

// Late is told that a client's dial to the target, which fails after another timeout, has not succeeded in good time.
// It reports whether this made the target suspect: then somebody must probe it, because while it is suspect nobody
// else will.
func (t *Target) Late(client netip.Addr, timeout time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.Active() {
		return false
	}
	now := t.now()
	t.late = slices.DeleteFunc(t.late, func(d lateDial) bool { return d.client == client || now >= d.until })
	t.late = append(t.late, lateDial{client, now + timeout})
	t.doubted.Store(true)
	if len(t.late) < several || t.suspect.Load() {
		return false
	}
	t.suspect.Store(true)
	return true
}

// Accepted is told that a dial to the target has succeeded, which ends all doubt.
func (t *Target) Accepted() {
	if !t.doubted.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsyncedTrust()
}

// unsyncedTrust ends all doubt. The lock must be held.
func (t *Target) unsyncedTrust() {
	t.late = nil
	t.doubted.Store(false)
	t.suspect.Store(false)
}
