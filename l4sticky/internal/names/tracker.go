package names

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// A Tracker decides which addresses a name stands for.
type Tracker struct {
	last map[netip.Addr]time.Duration // when each address was in an answer
}

// NewTracker returns a tracker that knows no address.
func NewTracker() *Tracker { return &Tracker{last: make(map[netip.Addr]time.Duration)} }

// Answer takes an answer, and reports which addresses are new, and which don't count any more since the last answer that had them is
// as long ago as the hold time. An answer without addresses changes nothing.
func (t *Tracker) Answer(now, hold time.Duration, addrs []netip.Addr) (appeared, left []netip.Addr) {
	if len(addrs) == 0 {
		return nil, nil
	}
	for _, a := range addrs {
		a = a.Unmap()
		if _, known := t.last[a]; !known {
			appeared = append(appeared, a)
		}
		t.last[a] = now
	}
	for a, last := range t.last {
		if now-last >= hold && last != now {
			left = append(left, a)
			delete(t.last, a)
		}
	}
	slices.SortFunc(appeared, netip.Addr.Compare)
	slices.SortFunc(left, netip.Addr.Compare)
	return appeared, left
}

// Addrs returns the addresses that count, in their order.
func (t *Tracker) Addrs() []netip.Addr {
	return slices.SortedFunc(maps.Keys(t.last), netip.Addr.Compare)
}
