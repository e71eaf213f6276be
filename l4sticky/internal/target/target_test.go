package target

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

func TestDeactivation(t *testing.T) {
	var now atomic.Int64
	registry := NewRegistry(func() time.Duration { return time.Duration(now.Load()) })
	target := NewSet(registry, Rendezvous, 0, ones(1)).Members()[0].Target

	if !target.Active() {
		t.Fatal("a new target is not active")
	}
	if !target.Deactivate(time.Minute) || target.Active() {
		t.Fatal("the target is active after it was deactivated")
	}
	now.Store(int64(59 * time.Second))
	if target.Deactivate(time.Minute) {
		t.Error("an inactive target is deactivated again")
	}
	now.Store(int64(time.Minute) - 1)
	if target.Active() {
		t.Error("the target is active before its time")
	}
	now.Store(int64(time.Minute))
	if !target.Active() {
		t.Error("the target is not active again: a second deactivation must not extend the first")
	}
	target.Deactivate(time.Minute)
	activate := func() bool {
		_, was := target.Activate()
		return was
	}
	if !activate() || !target.Active() || activate() {
		t.Error("Activate does not end the deactivation, or not once")
	}
}

func TestClaim(t *testing.T) {
	list := ones(1)
	list[0].MaxConnections = 10
	m := NewSet(NewRegistry(stopped), Rendezvous, 0, list).Members()[0]
	var claimed atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if m.Claim(m.Config.MaxConnections) {
				claimed.Add(1)
			}
		})
	}
	wg.Wait()
	if claimed.Load() != 10 || !m.Full() || m.Connections() != 10 {
		t.Errorf("%d of 50 claims of 10 granted, full %v, connections %d", claimed.Load(), m.Full(), m.Connections())
	}
	m.Release()
	if m.Full() || !m.Claim(m.Config.MaxConnections) {
		t.Error("a released connection is not free")
	}
	if !m.Claim(0) {
		t.Error("a claim without a limit is refused")
	}
}

// wake counts how often it is called.
type wake int

func (w *wake) Wake() { *w++ }

func TestOneProbeAtATime(t *testing.T) {
	target := newTarget(Address{"tcp", "10.0.0.1:80"}, stopped)
	var first, second wake
	if !target.BeginProbe(&first) {
		t.Fatal("the first prober has to wait")
	}
	if target.BeginProbe(&second) || target.BeginProbe(nil) {
		t.Fatal("there are two probers")
	}
	before := target.Probes()
	if target.EndProbe(); first != 0 || second != 1 || target.Probes() == before {
		t.Errorf("woken %d and %d times, want 0 and 1; %d probes after %d", first, second, target.Probes(), before)
	}
	if !target.BeginProbe(nil) {
		t.Fatal("the next prober has to wait for one that is done")
	}
	if target.EndProbe(); second != 1 {
		t.Error("who waited once is woken again")
	}
}

func TestRegistryKeepsWhatIsUsed(t *testing.T) {
	registry := NewRegistry(stopped)
	old := NewSet(registry, Rendezvous, 0, ones(3))
	list := ones(4)[1:]
	list[0].Weight = 7
	fresh := NewSet(registry, Rendezvous, 0, list)
	if old.Members()[1].Target != fresh.Members()[0].Target {
		t.Error("the same address is two targets")
	}
	if old.Members()[1].Config.Weight != 1 || fresh.Members()[0].Config.Weight != 7 {
		t.Error("the sets share settings")
	}
	gone, kept := old.Members()[0].Target, old.Members()[1].Target
	gone.Claim(0)
	old.Close()
	if len(registry.targets) != 4 {
		t.Errorf("%d targets, want 4: one has a connection", len(registry.targets))
	}
	if fresh.Member(gone) != nil || fresh.Member(kept) == nil || fresh.Member(nil) != nil {
		t.Error("Member does not tell who belongs to the set")
	}
	gone.Release()
	fresh.Close()
	if len(registry.targets) != 0 {
		t.Errorf("%d targets, want none", len(registry.targets))
	}
}

func TestAddress(t *testing.T) {
	for want, address := range map[string]Address{
		"localhost:80":      {"tcp", "localhost:80"},
		"tcp6/[::1]:80":     {"tcp6", "[::1]:80"},
		"unix//run/app":     {"unix", "/run/app"},
		"udp/10.0.0.1:5060": {"", "udp/10.0.0.1:5060"},
	} {
		if got := address.String(); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
	}
}

// faultyWaiter panics when it is woken.
type faultyWaiter struct{}

func (faultyWaiter) Wake() { panic("injected") }

// countingWaiter counts how often it is woken.
type countingWaiter int

func (w *countingWaiter) Wake() { *w++ }

// TestPanicInWaiter wakes those that wait for a probe beside one that panics.
func TestPanicInWaiter(t *testing.T) {
	target := newTarget(Address{"tcp", "10.0.0.1:80"}, stopped)
	target.BeginProbe(nil)
	var woken countingWaiter
	target.BeginProbe(&woken)
	target.BeginProbe(faultyWaiter{})
	target.BeginProbe(&woken)
	target.EndProbe()
	if woken != 2 || !target.BeginProbe(nil) {
		t.Errorf("%d of 2 are woken", woken)
	}
}

// TestBytes keeps the sum of all targets, though one is forgotten.
func TestBytes(t *testing.T) {
	r := NewRegistry(stopped)
	keep := NewSet(r, PlacementNamed("rendezvous"), 0, []Config{{Address: Address{"tcp", "10.0.0.1:80"}, Weight: 1}})
	defer keep.Close()
	drop := NewSet(r, PlacementNamed("rendezvous"), 0, []Config{{Address: Address{"tcp", "10.0.0.2:80"}, Weight: 1}})
	keep.Members()[0].Bytes.Add(flow.Client, 1)
	drop.Members()[0].Bytes.Add(flow.Client, 2)
	drop.Members()[0].Bytes.Add(flow.Target, 4)
	for range 2 {
		if up, down := r.Bytes(flow.Client), r.Bytes(flow.Target); up != 3 || down != 4 {
			t.Errorf("%d bytes up and %d down, want 3 and 4", up, down)
		}
		if drop != nil {
			drop.Close()
			drop = nil
		}
	}
}
