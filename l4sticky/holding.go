package l4sticky

import (
	"net"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A holding is all that a connection holds until it is over: its place in the pool, a reference to its session and, once it
// has a target, a claim on that. Handler.acquire makes one, and close gives it back, whichever way the connection ends.
type holding struct {
	*Handler
	session  *clientSession
	upstream *target.Member // nil while there is no target
	began    time.Duration  // when it began to look for a target; zero before
	done     func()         // is called at the end, if not nil
}

// acquire takes what a connection needs from the beginning. It reports false, and holds nothing, if a limit keeps the client
// out.
func (h *Handler) acquire(remote net.Addr, a *access) (held holding, allowed bool) {
	c := h.dialer.poolConfig
	held.Handler = h
	open := c.enter()
	defer func() {
		if !allowed {
			held.close()
		}
	}()
	if h.MaxConnections > 0 && open > int64(h.MaxConnections) {
		h.refuse(remote, a, "max_connections", h.MaxConnections)
		return held, false
	}
	var below bool
	if held.session, below = c.acquire(c.client(remote), h.MaxConnectionsPerClient); !below {
		h.refuse(remote, a, "max_connections_per_client", h.MaxConnectionsPerClient)
		return held, false
	}
	safely.Reach("sticky_proxy acquire")
	return held, true
}

// close gives all back. It must be called once.
func (held *holding) close() {
	d := held.dialer
	if held.done != nil {
		defer held.done()
	}
	defer d.leave()
	if held.session != nil {
		defer d.sessions.Release(held.session)
	}
	if held.upstream != nil {
		held.upstream.Release()
	}
}
