package relay

import (
	"net/netip"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
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
	client, down, picker, b := seekers(t, wrong, stalling{greeter(t, "right")}, greeter(t, "third"))
	picker.beside, picker.wants = true, func(t search.Target) bool { return t != search.Target(wrong) }
	options := dialTimes(stallOfLoop/2, stallOfLoop/3)
	if taken, err := Go(down, nil, 0, picker, options, nil); !taken || err != nil {
		t.Fatalf("taken %v, %v", taken, err)
	}
	_ = down.Close()
	expect(t, client, "right")
	_ = client.Close()
	b.wait(t)
	if left := len(picker.targets); left != 1 {
		t.Errorf("%d targets were not dialled, want the third one", left)
	}
}
