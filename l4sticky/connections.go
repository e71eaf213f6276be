package l4sticky

import (
	"errors"
	"net/netip"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// What when_down may be.
const (
	keepWhenDown  = "keep"
	closeWhenDown = "close"
)

// errDown is why connections end whose target is taken out.
var errDown = errors.New("the upstream is taken out, and when_down is close")

// endConnections resets connections of the pool, both ways, and returns how many it has reset: those that are wanted, but no more than
// the limit, if that is above zero. It returns when that is done. The line of the log that tells the end of such a connection has the reason.
//
// To find them it looks at all connections of the process, once, which costs nothing while nothing is ended. So it calls wanted on the
// goroutines of event loops, also on several at a time: wanted must be quick. The upstream of a connection that has not found its
// target yet is nil. To look at the connections only, wanted may always return false.
//
// It may be called on any goroutine but those of event loops, for which it waits.
func (p *pool) endConnections(reason error, limit int, wanted func(*holding) bool) int {
	var ended atomic.Int64
	relay.Abort(func(owner any) bool {
		held, because := heldBy(owner)
		if held == nil || held.dialer.pool != p || !wanted(held) {
			return false
		}
		if n := ended.Add(1); limit > 0 && n > int64(limit) {
			ended.Add(-1)
			return false
		}
		if because != nil {
			because.Store(&reason)
		}
		return true
	})
	return int(ended.Load())
}

// chooseClients chooses clients whose sessions are wanted and who have about so many connections, forgets these sessions, and returns the
// clients, so that all connections of a client can be ended together.
func (p *pool) chooseClients(most int, wanted func(session.Info[*target.Target]) bool) map[netip.Addr]bool {
	clients := make(map[netip.Addr]bool)
	chosen := 0
	p.sessions.Forget(func(i session.Info[*target.Target]) bool {
		if chosen >= most || !i.Live() || !wanted(i) {
			return false
		}
		chosen += i.Connections
		clients[i.Client] = true
		return true
	})
	return clients
}

// heldBy returns what a connection of the relay holds, and where the reason of its end is noted if it has a target.
func heldBy(owner any) (held *holding, because *atomic.Pointer[error]) {
	switch o := owner.(type) {
	case *established:
		return &o.holding, &o.because
	case *logged:
		return &o.holding, o.access.reason()
	case *picker:
		return &o.holding, o.access.reason()
	}
	return nil, nil
}

// endWhenDown resets the connections to a target that is taken out, if they came by a handler that wants that. It does not block.
func (c *poolConfig) endWhenDown(m *target.Member) {
	if c.closesWhenDown.Load() {
		go safely.Do("when_down", func() { c.endDown(m) })
	}
}

func (c *poolConfig) endDown(m *target.Member) {
	wanted := func(held *holding) bool {
		return held.WhenDown == closeWhenDown && held.upstream != nil && held.upstream.Target == m.Target
	}
	if n := c.endConnections(errDown, 0, wanted); n > 0 {
		c.logger.Warn("connections of an upstream are reset", append(upstreamFields(m), zap.String("pool", c.name), zap.Int("connections", n), zap.String("reason", errDown.Error()))...)
	}
}
