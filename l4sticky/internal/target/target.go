package target

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Address is what to dial. Two targets with the same Address are the same.
type Address struct {
	Network string // as net.Dial takes it; empty if this project does not dial the target itself
	Dial    string
}

// String returns the address as a config has it; the network is left out for tcp.
func (a Address) String() string {
	switch a.Network {
	case "", "tcp":
		return a.Dial
	}
	return a.Network + "/" + a.Dial
}

// A Target is the live state of one address. It is shared by all sets of its registry that hold the
// address. All methods may be called concurrently.
type Target struct {
	Address Address
	// Bytes counts what was delivered by the target's connections, also while they are open.
	Bytes flow.Counters
	// Sessions counts the sessions at the target.
	Sessions SessionCount
	// Dials counts what became of dials to the target.
	Dials DialCount
	// Deactivations counts why the target was taken out.
	Deactivations CauseCount

	now   func() time.Duration
	wake  func() // wakes all that wait for targets which are full
	conns atomic.Int64
	queue queue // of connections that wait while the target is full

	controls atomic.Pointer[controls] // what is set beside the config; it changes with the registry's lock held
	removed  atomic.Int64             // when no set held the target any more
	returned atomic.Int64             // when the target began to get clients again, or never

	// inactiveUntil is the time on the registry's clock when the target becomes active again. It
	// changes with mu held and is read without.
	inactiveUntil atomic.Int64
	down          atomic.Bool // checks have failed; it changes with mu held and is read without
	agentDown     atomic.Bool // the target's agent says so; it changes with mu held and is read without

	addrs      atomic.Pointer[addresses]
	refreshing atomic.Bool                    // a caller of Addrs has been told to look the name up again
	reached    atomic.Pointer[netip.AddrPort] // the one of several addresses that accepts

	hasLate atomic.Bool // dials are late
	suspect atomic.Bool // dials of several clients are late

	mu             sync.Mutex
	late           []lateDial   // one for each client
	probing        bool         // a probe is under way
	probeWaiters   []Waiter     // are woken when it ends
	probes         int          // that have ended
	unserved       []netip.Addr // clients that got no byte, since the target had sent sentBefore
	sentBefore     int64
	deactivated    time.Duration // when it was last
	mute           bool          // it was deactivated since it serves nobody
	asked          bool          // it was deactivated on request
	checks         tally
	downSince      time.Duration
	agentDownSince time.Duration
	agentReason    string
	suspectSince   time.Duration

	reason     string        // why it was deactivated last
	downReason string        // why its checks fail
	modeSince  time.Duration // when the mode was set
	modeReason string

	created time.Duration // never changes
	users   int           // sets that hold the target; guarded by the registry's lock
}

func newTarget(address Address, now func() time.Duration) *Target {
	t := &Target{Address: address, now: now, wake: func() {}, created: now()}
	t.controls.Store(&noControls)
	t.returned.Store(never)
	t.addrs.Store(literal(address))
	return t
}

// Active reports whether the target may get new connections: it is neither deactivated nor down, by its checks or by
// its agent, nor is it in maintenance.
func (t *Target) Active() bool {
	return !t.Deactivated() && !t.down.Load() && !t.agentDown.Load() && t.Mode() != Maintenance
}

// Deactivated reports whether the target is deactivated. It may be up or down then.
func (t *Target) Deactivated() bool {
	until := t.inactiveUntil.Load()
	return until != 0 && int64(t.now()) < until
}

// Deactivate keeps new connections away from the target for the duration. It reports whether the target was not deactivated
// before; if it was, nothing changes.
func (t *Target) Deactivate(d time.Duration) bool { return t.deactivate(d, func() {}) }

// DeactivateAsked is Deactivate on the request of somebody who knows better than a check.
func (t *Target) DeactivateAsked(d time.Duration) bool {
	return t.deactivate(d, func() { t.asked = true })
}

// deactivate is Deactivate, and notes more with the lock held if the target was not deactivated before.
func (t *Target) deactivate(d time.Duration, note func()) bool {
	if !t.beginDeactivation(d, note) {
		return false
	}
	t.wakeQueue()
	return true
}

func (t *Target) beginDeactivation(d time.Duration, note func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Deactivated() {
		return false
	}
	t.deactivated = t.now()
	t.inactiveUntil.Store(int64(t.deactivated + d))
	t.unsyncedClearSuspicion()
	t.mute, t.asked = false, false
	t.checks.passed = 0 // those that count come after it
	note()
	return true
}

// Activate ends a deactivation, since the target has accepted a connection, be it before the time of the deactivation was
// over or after. It reports whether there was one, and how long ago it began. That a target accepts which serves nobody means
// nothing, until it has sent something.
func (t *Target) Activate() (since time.Duration, was bool) {
	if t.inactiveUntil.Load() == 0 {
		return 0, false
	}
	since, was = t.activate()
	if was {
		t.wake()
	}
	return since, was
}

func (t *Target) activate() (since time.Duration, was bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inactiveUntil.Load() == 0 || t.mute && t.Bytes.Bytes(flow.Target) == t.sentBefore {
		return 0, false
	}
	t.unsyncedReturn()
	return t.now() - t.deactivated, true
}

// Claim counts one more connection, which Release takes back. It returns false and counts nothing if the target has
// limit connections already; 0 means that there is no limit.
func (t *Target) Claim(limit int) bool {
	if limit == 0 {
		t.conns.Add(1)
		return true
	}
	for {
		n := t.conns.Load()
		if n >= int64(limit) {
			return false
		}
		if t.conns.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release takes back one Claim. If connections wait for the target, the first of them gets the room.
func (t *Target) Release() {
	t.conns.Add(-1)
	t.admit()
}

// Connections returns the number of connections that are open or being dialled.
func (t *Target) Connections() int { return int(t.conns.Load()) }

// A Waiter is woken when what it waits for has happened. Wake may be called on any goroutine; it must be quick.
type Waiter interface{ Wake() }

// BeginProbe begins a probe of the target, which the caller ends by EndProbe. There is one probe at a time: if one is
// under way, BeginProbe returns false, and the waiter, if it is not nil, is woken when that one has ended. Probes
// then returns another number.
func (t *Target) BeginProbe(w Waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.probing {
		t.probing = true
		return true
	}
	if w != nil {
		t.probeWaiters = append(t.probeWaiters, w)
	}
	return false
}

// EndProbe ends a probe, and wakes the waiters for its end.
func (t *Target) EndProbe() {
	for _, w := range t.endProbe() {
		safely.Do("waking a waiter for a probe", w.Wake)
	}
}

// endProbe returns the waiters to be woken.
func (t *Target) endProbe() (waiters []Waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	waiters = t.probeWaiters
	t.probing, t.probeWaiters = false, nil
	t.probes++
	return waiters
}

// Probes returns how many probes of the target have ended.
func (t *Target) Probes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.probes
}
