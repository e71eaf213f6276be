// Package target keeps the targets of a balancer: whether they are active, how many connections they
// have, and which one a client is placed on.
package target

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Address is what to dial. Two targets with the same Address are the same.
type Address struct {
	Network string // as net.Dial has it; empty if the target is dialled by somebody else
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

	now   func() time.Duration
	hash  uint64
	conns atomic.Int64

	// inactiveUntil is the time on the registry's clock when the target becomes active again. It
	// changes with mu held and is read without.
	inactiveUntil atomic.Int64

	addrs      atomic.Pointer[addresses]
	refreshing atomic.Bool                    // somebody looks the name up again
	reached    atomic.Pointer[netip.AddrPort] // the one of several addresses that accepts

	doubted atomic.Bool // a dial is late
	suspect atomic.Bool // so many are late that the target gets no new connections if there is another

	mu      sync.Mutex
	late    []lateDial // one for each client
	probed  bool       // a probe is under way
	curious []Waiter   // who waits for its outcome
	probes  int        // that have ended

	users int // sets that hold the target; guarded by the registry's lock
}

func newTarget(address Address, now func() time.Duration) *Target {
	t := &Target{Address: address, now: now, hash: xxhash.Sum64String(address.String())}
	t.addrs.Store(literal(address))
	return t
}

// Active reports whether the target may get new connections.
func (t *Target) Active() bool {
	until := t.inactiveUntil.Load()
	return until == 0 || int64(t.now()) >= until
}

// Deactivate keeps new connections away from the target for the duration. It reports whether the target was active;
// if not, nothing changes.
func (t *Target) Deactivate(d time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.Active() {
		return false
	}
	t.inactiveUntil.Store(int64(t.now() + d))
	t.unsyncedTrust()
	return true
}

// Activate ends a deactivation before its time and reports whether there was one.
func (t *Target) Activate() bool {
	if t.inactiveUntil.Load() == 0 {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	was := t.Active()
	t.inactiveUntil.Store(0)
	return !was
}

// Claim counts one more connection, unless the target has limit of them; 0 is no limit. Release takes
// it back.
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

// Release takes back one Claim.
func (t *Target) Release() { t.conns.Add(-1) }

// Connections returns the number of connections that are open or being dialled.
func (t *Target) Connections() int { return int(t.conns.Load()) }

// A Waiter wants to be told that something has changed.
type Waiter interface{ Wake() }

// BeginProbe makes the caller the only one to probe the target; it must call EndProbe. If somebody else is at it,
// BeginProbe reports false, and the waiter, if it is not nil, is told when that probe ends. Probes returns another
// number then.
func (t *Target) BeginProbe(w Waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.probed {
		t.probed = true
		return true
	}
	if w != nil {
		t.curious = append(t.curious, w)
	}
	return false
}

// EndProbe lets those who wait for the probe go on.
func (t *Target) EndProbe() {
	for _, w := range t.endProbe() {
		safely.Do("waking who waits for a probe", w.Wake)
	}
}

// endProbe returns who waits for the probe.
func (t *Target) endProbe() (curious []Waiter) {
	t.mu.Lock()
	defer t.mu.Unlock()
	curious = t.curious
	t.probed, t.curious = false, nil
	t.probes++
	return curious
}

// Probes returns how many probes of the target have ended.
func (t *Target) Probes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.probes
}
