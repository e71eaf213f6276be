package connect

import (
	"net/netip"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// Options are for the dials of a connection.
type Options struct {
	search.Times
	// KeepAlive finds out that a peer has vanished.
	KeepAlive keepalive.Options
	// Own reports whether a dial may come back to this process, so that the picker is told of it. It may be nil.
	Own func(to netip.AddrPort) bool
}
