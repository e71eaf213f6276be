package l4sticky

import (
	"slices"
	"sync/atomic"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// refreshIfDown has the name of a target looked up at once if no target of that name is active, and the source of its upstream
// asked if none of that is.
func (c *poolConfig) refreshIfDown(m *target.Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.names[m.Config.Upstream]; w != nil && !c.anyActive(func(other target.Address) bool { return other == m.Config.Upstream }) {
		w.Refresh(nil)
	}
	if c.source != nil && c.dynamic[upstreamOf(m)] && !c.anyActive(func(other target.Address) bool { return c.dynamic[other] }) {
		c.source.Refresh(nil)
	}
}

// anyActive reports whether a target is active whose upstream is among some.
func (c *poolConfig) anyActive(among func(upstream target.Address) bool) bool {
	return slices.ContainsFunc(c.targets.Members(), func(m *target.Member) bool { return among(upstreamOf(m)) && m.Active() })
}

// refreshNames has all looked up for a connection that has no target left, and reports whether there is something to
// wait for: then the waiter is woken when all is done.
func (c *poolConfig) refreshNames(w search.Waker) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := &countdown{waker: w}
	all.left.Store(1)
	waits := false
	refresh := func(watch interface{ Refresh(names.Waiter) bool }) {
		all.left.Add(1)
		if watch.Refresh(all) {
			waits = true
		} else {
			all.left.Add(-1)
		}
	}
	for _, name := range c.names {
		refresh(name)
	}
	if c.source != nil {
		refresh(c.source)
	}
	if waits {
		all.Wake()
	}
	return waits
}

// A countdown wakes when it was woken often enough.
type countdown struct {
	left  atomic.Int64
	waker search.Waker
}

func (c *countdown) Wake() {
	if c.left.Add(-1) == 0 {
		c.waker.Wake()
	}
}
