package target

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

func TestUnserved(t *testing.T) {
	var now atomic.Int64
	target := newTarget(Address{"tcp", "10.0.0.1:80"}, func() time.Duration { return time.Duration(now.Load()) })
	a, b, c := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.3")
	activate := func() bool {
		_, was := target.Activate()
		return was
	}
	must := func(client netip.Addr, want bool) {
		t.Helper()
		if got := target.Unserved(client, 3); got != want {
			t.Errorf("%v: %v, want %v", client, got, want)
		}
	}
	must(a, false)
	must(a, false)
	must(b, false)
	target.Bytes.Add(flow.Target, 1) // another client is served
	must(c, false)
	must(a, false)
	target.Bytes.Add(flow.Client, 1) // what clients send says nothing
	must(b, true)
	must(c, false) // it counts anew

	// That it accepts does not end its deactivation; that it has sent something does, and that the time is over.
	if !target.DeactivateMute(time.Minute) || target.DeactivateMute(time.Minute) || activate() || target.Active() {
		t.Error("it is active because it accepts")
	}
	target.Bytes.Add(flow.Target, 1)
	if !activate() || !target.Active() {
		t.Error("it is not active though it has sent something")
	}
	target.DeactivateMute(time.Minute)
	now.Add(int64(time.Minute))
	if !target.Active() || activate() {
		t.Error("it is not active though the time is over, or it is told to accept again though it has sent nothing")
	}
	// A failed dial is another reason.
	if !target.Deactivate(time.Minute) {
		t.Error("it cannot be deactivated once more")
	}
	now.Add(int64(2 * time.Minute))
	if since, was := target.Activate(); since != 2*time.Minute || !was {
		t.Errorf("it accepts again after %v, %v", since, was)
	}
}
