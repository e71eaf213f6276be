package target

import (
	"math"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// longest is the longest duration that a config may have, 100 years.
const longest = 100 * 365 * 24 * time.Hour

// TestLongestDurations deactivates a target and has dials wait for 100 years, even in a process that has run as
// long; a clock that stands still ends nothing, and one that jumps ends all.
func TestLongestDurations(t *testing.T) {
	for _, age := range []time.Duration{0, longest, math.MaxInt64 - longest} {
		var now atomic.Int64
		now.Store(int64(age))
		target := newTarget(Address{"tcp", "10.0.0.1:80"}, func() time.Duration { return time.Duration(now.Load()) })
		if len(target.Addrs()) != 1 {
			t.Errorf("at the age %v: an IP address is not known", age)
		}
		if target.Late(netip.MustParseAddr("192.0.2.1"), longest); target.Suspect() {
			t.Errorf("at the age %v: one client makes the target suspect", age)
		}
		now.Add(int64(longest - 1))
		if !target.Late(netip.MustParseAddr("192.0.2.2"), 1) || !target.Suspect() {
			t.Errorf("at the age %v: a dial that may take 100 years does not count as long", age)
		}

		now.Store(int64(age))
		if !target.Deactivate(longest) || target.Active() || target.Suspect() {
			t.Errorf("at the age %v: the target is not deactivated", age)
		}
		for range 3 {
			if target.Active() {
				t.Errorf("at the age %v: the target is active though no time has passed", age)
			}
		}
		now.Add(int64(longest - 1))
		if target.Active() {
			t.Errorf("at the age %v: the target is active before its time", age)
		}
		now.Add(1)
		if !target.Active() {
			t.Errorf("at the age %v: the target is not active again", age)
		}
	}
}

// TestGreatNumbers has as many connections and as much weight as a config may have.
func TestGreatNumbers(t *testing.T) {
	list := ones(2)
	for i := range list {
		list[i].Weight, list[i].MaxConnections = MaxWeight, math.MaxInt
	}
	list[1].Weight = 1
	for _, placement := range placements {
		set := NewSet(NewRegistry(stopped), placement, 0, list)
		for _, client := range []string{"255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"} {
			m := set.Place(netip.MustParseAddr(client), func(m *Member) bool { return !m.Full() })
			if m == nil {
				t.Fatalf("placement %s has no place for %s", placement.Name, client)
			}
			m.conns.Store(math.MaxInt - 1)
			if m.Full() || !m.Claim(m.Config.MaxConnections) || !m.Full() || m.Claim(m.Config.MaxConnections) {
				t.Errorf("placement %s: a limit of %d is not kept", placement.Name, m.Config.MaxConnections)
			}
			m.conns.Store(0)
		}
	}
}
