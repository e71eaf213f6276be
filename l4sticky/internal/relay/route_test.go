package relay

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// place is a target at a fixed address.
type place netip.AddrPort

func at(ln net.Listener) place { return place(ln.Addr().(*net.TCPAddr).AddrPort()) }

func (p place) Addrs() []netip.AddrPort { return []netip.AddrPort{netip.AddrPort(p)} }

func (p place) Resolve(context.Context) ([]netip.AddrPort, error) { return p.Addrs(), nil }

func (p place) Reached(netip.AddrPort) {}

// fakePicker leads to the first of its targets that accepts, and notes what happens.
type fakePicker struct {
	line    flow.Established
	targets []search.Target
	beside  bool                       // another target is dialled beside one that is late
	wants   func(t search.Target) bool // or all are

	mu      sync.Mutex
	failed  []search.Target
	dropped []search.Target
	errs    []error
	lost    chan error
}

func (r *fakePicker) Next(search.Waker) (search.Dial, search.Step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.targets) == 0 {
		return search.Dial{}, search.NoTarget
	}
	t := r.targets[0]
	r.targets = r.targets[1:]
	return search.Dial{Target: t}, search.DialTarget
}

func (r *fakePicker) Late(search.Dial) bool { return r.beside }

func (r *fakePicker) Wants(d search.Dial) bool { return r.wants == nil || r.wants(d.Target) }

func (r *fakePicker) Connected(search.Dial) flow.Established { return r.line }

func (r *fakePicker) TakeSpare(search.Dial) flow.Established { return r.line }

func (r *fakePicker) Failed(d search.Dial, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, d.Target)
	r.errs = append(r.errs, err)
	return nil
}

func (r *fakePicker) Dropped(d search.Dial) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = append(r.dropped, d.Target)
}

func (r *fakePicker) Own(search.Dial, netip.AddrPort, func() bool) {}

func (r *fakePicker) Lost(err error) { r.lost <- err }

func (r *fakePicker) log() (failed, dropped []search.Target, errs []error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.failed), slices.Clone(r.dropped), slices.Clone(r.errs)
}
