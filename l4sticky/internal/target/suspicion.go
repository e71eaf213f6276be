package target

import (
	"net/netip"
	"slices"
	"time"
)

// suspectClients is how many clients must wait for a target at the same time to make it suspect. One alone may have lost
// a packet.
const suspectClients = 2

// A lateDial is a dial that takes longer than a healthy target would let it take.
type lateDial struct {
	client netip.Addr
	until  time.Duration // when the dial times out; after that it does not count any more
}

// Suspect reports whether dials of several clients to the target are late, and none has succeeded since. The target
// should then get new connections only if there is no other.
func (t *Target) Suspect() bool { return t.suspect.Load() }

// Late notes that a client's dial to the target is late; it times out after another timeout. Late reports whether this
// makes the target suspect. Then the caller must probe it: a suspect target gets no other dial that could end the
// suspicion.
func (t *Target) Late(client netip.Addr, timeout time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.Active() {
		return false
	}
	now := t.now()
	t.late = slices.DeleteFunc(t.late, func(d lateDial) bool { return d.client == client || now >= d.until })
	t.late = append(t.late, lateDial{client, now + timeout})
	t.hasLate.Store(true)
	if len(t.late) < suspectClients || t.suspect.Load() {
		return false
	}
	t.suspect.Store(true)
	t.suspectSince = now
	return true
}

// Accepted notes that a dial to the target has succeeded, which ends the suspicion. It reports whether there was one, and for how long.
func (t *Target) Accepted() (suspected time.Duration, was bool) {
	if !t.hasLate.Load() {
		return 0, false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was = t.suspect.Load()
	t.unsyncedClearSuspicion()
	if !was {
		return 0, false
	}
	return t.now() - t.suspectSince, true
}

// unsyncedClearSuspicion forgets all dials that are late. The lock must be held.
func (t *Target) unsyncedClearSuspicion() {
	t.late = nil
	t.hasLate.Store(false)
	t.suspect.Store(false)
}
