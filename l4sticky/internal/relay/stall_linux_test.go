package relay

import (
	"net/netip"
	"testing"
	"time"
)

// stalling is a target that keeps its loop busy for longer than a dial may take until it is late.
type stalling struct{ place }

const stallOfLoop = 300 * time.Millisecond

func (s stalling) Addrs() []netip.AddrPort {
	time.Sleep(stallOfLoop)
	return s.place.Addrs()
}

// TestStalledLoopBlamesNoTarget has the loop come late to look at a dial that had succeeded long before. It begins the
// dial when it learns of another one.
func TestStalledLoopBlamesNoTarget(t *testing.T) {
	wrong := greeter(t, "wrong")
	client, down, route, b := seekers(t, wrong, stalling{greeter(t, "right")}, greeter(t, "third"))
	route.beside, route.agreed = true, func(t Target) bool { return t != Target(wrong) }
	options := &Options{DialTimeout: stallOfLoop / 2, Late: stallOfLoop / 3}
	if taken, err := Go(down, nil, route, options, nil); !taken || err != nil {
		t.Fatalf("taken %v, %v", taken, err)
	}
	_ = down.Close()
	expect(t, client, "right")
	_ = client.Close()
	b.wait(t)
	if left := len(route.targets); left != 1 {
		t.Errorf("%d targets were not dialled, want the third one", left)
	}
}

// TestStalledSearchBlamesNoTarget does the same with a search by goroutines: that the search comes late tells that the
// process has had no time, and neither has the dial.
func TestStalledSearchBlamesNoTarget(t *testing.T) {
	a := &attempt{lateAt: time.Now().Add(-stallOfLoop)}
	s := &search{route: &fakeRoute{beside: true}, flights: []*attempt{a}}
	if s.mayDial() || a.late {
		t.Error("another target is dialled at once after a stall")
	}
	a.lateAt = time.Now()
	if !s.mayDial() {
		t.Error("a dial is not late when it should be")
	}
}
