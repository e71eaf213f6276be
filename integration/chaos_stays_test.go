package integration

import (
	"fmt"
	"slices"
	"time"
)

// A stay is a connection of which the client knows the target.
type stay struct {
	greeting
	began, greeted time.Duration
	parted         time.Duration // when something began that ends the connection, or 0
}

// alive reports whether the client's session certainly is, because of this connection.
func (s *stay) alive(now time.Duration) bool { return s.parted == 0 || now < s.parted+minExpiry }

// arrive notes at which target the client is, and looks whether it is the one where it was before, if it was there
// just now and nothing speaks against that target.
func (c *chaosClient) arrive(here *stay, h *clientHalf) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.run.now()
	here.greeting, here.greeted = h.greeting, now
	switch mannersFor(c.run.rng("manners", h.id), h.hello, c.run.mild).mood {
	case hasty, resetting, closing: // the target may have ended it long before the client learned that it had begun
		here.parted = h.began
	}
	c.stays = slices.DeleteFunc(c.stays, func(s *stay) bool { return !s.alive(now) })
	for _, before := range c.stays {
		if before.greeted < h.began && before.target != here.target {
			c.mayMove(before, here, h)
		}
	}
	c.stays = append(c.stays, here)
}

// mayMove fails if the client had no reason to go to another target, because the one before has done well for long
// enough. The lock must be held.
func (c *chaosClient) mayMove(before, here *stay, h *clientHalf) {
	from, to := c.run.targets[before.target], c.run.targets[here.target]
	if !from.steady(before.began-chaosMargin, here.greeted) {
		c.run.count("clients who moved from a target that had failed", 1)
		return
	}
	if c.run.anyAbrupt(before.began, before.greeted) {
		c.run.count("clients who moved after they may have been on a detour", 1)
		return
	}
	text := ""
	for _, s := range c.stays {
		text += fmt.Sprintf(" %d.%d from %v to %v, parted %v;", s.target, s.serial, s.began, s.greeted, s.parted)
	}
	c.run.fail("a client is on two targets", "at %s, which has done well, and at %s: %s\n\tbefore it was at%s\n\tthe log about the first one ends with %s",
		from, to, h, text, c.run.logAbout(from.addr))
}

// anyAbrupt reports whether a target has ended a connection that it had just accepted. That is not held against it, but
// the connection goes to another target, while the session stays.
func (r *chaosRun) anyAbrupt(from, to time.Duration) bool {
	return slices.ContainsFunc(r.targets, func(t *chaosTarget) bool { return t.abrupt.touched(from, to) })
}

// part notes that a connection is about to end.
func (c *chaosClient) part(s *stay) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.parted == 0 {
		s.parted = c.run.now()
	}
}
