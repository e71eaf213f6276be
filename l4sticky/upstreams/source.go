package upstreams

import (
	"context"
	"net/netip"
	"time"
)

// Namespace is that of the modules.
const Namespace = "layer4.sticky.upstreams"

// A Source tells which upstreams there are.
type Source interface {
	// Lookup returns the upstreams that there are now, in any order. It must return soon after the context has ended, which has a
	// deadline of some seconds. An error, or no upstream, means that the last answer still holds. With upstreams and an
	// error, these count, and the error is logged.
	Lookup(ctx context.Context) ([]Upstream, error)

	// Interval is the time between two look-ups, and between those of the names in the upstreams' addresses, at least a
	// second. Zero means the handler's `resolve_interval`.
	Interval() time.Duration
}

// A NameResolver is a Source that also looks up the names in the addresses of its upstreams. For all others the system does.
type NameResolver interface {
	// LookupNetIP returns the addresses of a host. The network is "ip", "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// An Upstream is one that a Source has found.
type Upstream struct {
	// Address is what to dial: `host:port` or `[ipv6]:port`, with `tcp4/` or `tcp6/` before it to dial one family only. A name
	// that has several addresses of a family stands for as many targets.
	Address string
	// Weight is the share of the clients, up to 65535. Zero means 1; more than that, or negative, is an error.
	Weight int
	// MaxConnections is the largest number of connections at a time. Zero means no limit; negative is an error.
	MaxConnections int
	// Backup, if it is not zero, means that the upstream takes clients only while none with a lower number can. In a config `backup`
	// is 1. Negative is an error.
	Backup int
	// Drain means that the upstream gets no new clients.
	Drain bool
}
