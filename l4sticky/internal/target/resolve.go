package target

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

const (
	// resolveAgain is how long the addresses of a name are used before it is looked up again.
	resolveAgain = time.Second
	// resolving is how long they are used beyond that while a caller looks them up.
	resolving = 5 * time.Second
)

// addresses are what is known of a target's name.
type addresses struct {
	addrs []netip.AddrPort
	until time.Duration // when to look again; never for an IP address
}

const forever = time.Duration(1<<63-1) - resolving

// literal returns the addresses of a target that is given by its IP address, or without a host, which means this
// machine. It returns nil for a target that has a name, or that is not dialled over TCP.
func literal(a Address) *addresses {
	host, port, ok := a.Split()
	if !ok {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "" && a.Network == "tcp6":
		ip = netip.IPv6Loopback()
	case host == "":
		ip = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case err != nil:
		return nil
	}
	return &addresses{[]netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), port)}, forever}
}

// Split returns the host and port of a TCP address. It returns false for any other address.
func (a Address) Split() (host string, port uint16, ok bool) {
	if a.Network != "tcp" && a.Network != "tcp4" && a.Network != "tcp6" {
		return "", 0, false
	}
	host, service, err := net.SplitHostPort(a.Dial)
	if err != nil {
		return "", 0, false
	}
	number, err := net.LookupPort(a.Network, service)
	return host, uint16(number), err == nil
}

// Addrs returns the addresses to dial, the best one first, or nil if the caller must look them up by Resolve. It does
// not block. While one caller looks a name up again, all others get the addresses that the name had before.
func (t *Target) Addrs() []netip.AddrPort {
	known := t.addrs.Load()
	switch now := t.now(); {
	case known == nil:
		return nil
	case now < known.until:
		return known.addrs
	case now < known.until+resolving && !t.refreshing.CompareAndSwap(false, true):
		return known.addrs
	}
	return nil
}

// Resolve looks up the addresses of the target's name. They are good for a second. The one that Reached named last
// comes first, also if the answer has it not; otherwise they are in the order of RFC 6724.
func (t *Target) Resolve(ctx context.Context) ([]netip.AddrPort, error) {
	defer t.refreshing.Store(false)
	host, port, ok := t.Address.Split()
	if !ok {
		return nil, fmt.Errorf("%s is not a TCP address", t.Address)
	}
	network := "ip" + t.Address.Network[len("tcp"):]
	ips, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, 0, len(ips))
	for _, ip := range ips {
		addrs = append(addrs, netip.AddrPortFrom(ip.Unmap(), port))
	}
	if last := t.reached.Load(); last != nil {
		addrs = first(addrs, *last)
	}
	t.addrs.Store(&addresses{addrs, t.now() + resolveAgain})
	return addrs, nil
}

// Reached notes which of several addresses a dial has reached, to try it first the next time.
func (t *Target) Reached(addr netip.AddrPort) {
	known := t.addrs.Load()
	if known == nil || known.until == forever && len(known.addrs) < 2 {
		return
	}
	if last := t.reached.Load(); last == nil || *last != addr {
		reached := addr
		t.reached.Store(&reached)
	}
	if known.addrs[0] == addr {
		return
	}
	t.addrs.CompareAndSwap(known, &addresses{first(slices.Clone(known.addrs), addr), known.until})
}

// first puts an address first, whether it is among the others or not: an address that worked is used until it fails, also if
// a name server tells but a part of a long list each time.
func first(addrs []netip.AddrPort, addr netip.AddrPort) []netip.AddrPort {
	addrs = slices.DeleteFunc(addrs, func(other netip.AddrPort) bool { return other == addr })
	return slices.Insert(addrs, 0, addr)
}

// dialAt notes the addresses of a target that has one of each family. The one that accepted last stays the first.
func (t *Target) dialAt(addrs []netip.AddrPort) {
	addrs = slices.Clone(addrs)
	if last := t.reached.Load(); last != nil && slices.Contains(addrs, *last) {
		addrs = first(addrs, *last)
	}
	t.addrs.Store(&addresses{addrs, forever})
}
