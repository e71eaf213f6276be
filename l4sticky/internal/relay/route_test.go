package relay

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// place is a target at a fixed address.
type place netip.AddrPort

func at(ln net.Listener) place { return place(ln.Addr().(*net.TCPAddr).AddrPort()) }

func (p place) Addrs() []netip.AddrPort { return []netip.AddrPort{netip.AddrPort(p)} }

func (p place) Resolve(context.Context) ([]netip.AddrPort, error) { return p.Addrs(), nil }

func (p place) Reached(netip.AddrPort) {}

// fakeRoute leads to the first of its targets that accepts, and notes what happens.
type fakeRoute struct {
	line    Line
	targets []Target
	beside  bool                // another target is dialled beside one that is late
	agreed  func(t Target) bool // or all are

	mu      sync.Mutex
	failed  []Target
	dropped []Target
	errs    []error
	lost    chan error
}

func (r *fakeRoute) Next(Waker) (Dial, Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.targets) == 0 {
		return Dial{}, Nothing
	}
	t := r.targets[0]
	r.targets = r.targets[1:]
	return Dial{Target: t}, Dialling
}

func (r *fakeRoute) Late(Dial) bool { return r.beside }

func (r *fakeRoute) Agreed(d Dial) bool { return r.agreed == nil || r.agreed(d.Target) }

func (r *fakeRoute) Connected(Dial) Line { return r.line }

func (r *fakeRoute) Settle(Dial) Line { return r.line }

func (r *fakeRoute) Failed(d Dial, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, d.Target)
	r.errs = append(r.errs, err)
	return nil
}

func (r *fakeRoute) Dropped(d Dial) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = append(r.dropped, d.Target)
}

func (r *fakeRoute) Own(Dial, netip.AddrPort, func() bool) {}

func (r *fakeRoute) Lost(err error) { r.lost <- err }

func (r *fakeRoute) log() (failed, dropped []Target, errs []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.failed), slices.Clone(r.dropped), slices.Clone(r.errs)
}
