package l4sticky

import (
	"time"

	"github.com/caddyserver/caddy/v2"
)

// A connection keeps the settings under which it came while configs come and go, unless it waits for a target that is full. Then what a reload
// changes counts for it at once: the new config may have room for it, or no such target any more.

// fullTerms are a handler's options about targets that are full.
type fullTerms struct {
	whenFull    string
	waitTimeout caddy.Duration
	maxWaiting  int
}

// noteFullTerms notes the terms of one more handler of the config.
func (c *poolConfig) noteFullTerms(terms fullTerms) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.full {
	case nil:
		c.full = &terms
	default:
		c.fullDiffers = c.fullDiffers || *c.full != terms
	}
}

// commonFullTerms returns the terms that all handlers of the config have, or false if they differ.
func (c *poolConfig) commonFullTerms() (terms fullTerms, same bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full == nil || c.fullDiffers {
		return fullTerms{}, false
	}
	return *c.full, true
}

// successor returns the config that counts instead of this one, which is gone, or nil.
func (c *poolConfig) successor() *poolConfig {
	if !c.gone.Load() {
		return nil
	}
	return c.pool.applied.Load()
}

// renew has the connection go on by the config that runs now, if its own is gone. It reports whether it did.
func (p *picker) renew() bool {
	c := p.dialer.successor()
	if c == nil {
		return false
	}
	p.Handler = p.renewedIn(c)
	p.turn.timer.Reset(time.Duration(p.WaitTimeout) - (monotonic() - p.turn.began))
	return true
}

// renewedIn returns the handler for a connection that waits while another config takes over. It has the targets of that config and its terms about those that
// are full. If the handlers of that config differ in these terms, which one the connection would have come by is not known, and it keeps its own.
func (h *Handler) renewedIn(c *poolConfig) *Handler {
	if known := h.dialer.renewed.Load(); known != nil && known.dialer.poolConfig == c {
		return known
	}
	next := *h
	next.dialer = h.dialer.within(c)
	if terms, same := c.commonFullTerms(); same {
		next.WhenFull, next.WaitTimeout, next.MaxWaiting = terms.whenFull, terms.waitTimeout, terms.maxWaiting
	}
	h.dialer.renewed.Store(&next)
	return &next
}
