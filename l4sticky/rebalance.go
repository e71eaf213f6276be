package l4sticky

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

const (
	// rebalancePause is the least time between two looks at all sessions.
	rebalancePause = 100 * time.Millisecond
	// rebalanceShare is what part of a processor looking at all sessions may take.
	rebalanceShare = 20
)

// errRebalanced is why a connection is ended whose client belongs to another target.
var errRebalanced = errors.New("the pool is rebalanced, and the client belongs to another upstream")

// A rebalance brings the sessions of a pool to where placement would put them now. A goroutine looks at all of them again and again, until
// none is left that belongs elsewhere, or it is stopped.
type rebalance struct {
	terms drainTerms
	close bool
	stop  chan struct{}

	running  atomic.Bool
	mu       sync.Mutex // guards what follows
	progress adminapi.Rebalance

	drain drain // of the goroutine
}

// postRebalance begins a rebalance.
func postRebalance(r *adminRequest) (any, error) {
	c, err := r.pool()
	if err != nil {
		return nil, err
	}
	var wanted adminapi.RebalanceRequest
	if r.ContentLength != 0 {
		if err := r.decode(&wanted); err != nil {
			return nil, err
		}
	}
	switch {
	case !c.targets.Placement().Sticky:
		return nil, apiError(http.StatusConflict, "the pool '%s' has placement %s, and so no sessions", c.name, c.targets.Placement().Name)
	case (wanted.Rate != nil || wanted.Deadline != nil) && !wanted.Close:
		return nil, apiError(http.StatusBadRequest, "close: rate and deadline are for close: true")
	}
	if err := checkOverride(adminapi.Override{Deadline: wanted.Deadline, Rate: wanted.Rate}); err != nil {
		return nil, badRequest(err)
	}
	b := &rebalance{
		terms:    drainTerms{wanted.Deadline, wanted.Rate, monotonic()},
		close:    wanted.Close,
		stop:     make(chan struct{}),
		progress: adminapi.Rebalance{RebalanceRequest: wanted},
	}
	b.running.Store(true)
	if !c.beginRebalance(b) {
		return nil, apiError(http.StatusConflict, "the pool '%s' is being rebalanced; DELETE stops that", c.name)
	}
	c.logger.Info("the pool is to be rebalanced", zap.String("pool", c.name), zap.Bool("close", wanted.Close))
	return b.status(), nil
}

func getRebalance(r *adminRequest) (any, error) {
	c, err := r.pool()
	if err != nil {
		return nil, err
	}
	if b := c.rebalance.Load(); b != nil {
		return b.status(), nil
	}
	return adminapi.Rebalance{}, nil
}

func deleteRebalance(r *adminRequest) (any, error) {
	c, err := r.pool()
	if err != nil {
		return nil, err
	}
	b := c.rebalance.Load()
	if b == nil || !b.end() {
		return nil, apiError(http.StatusConflict, "the pool '%s' is not being rebalanced", c.name)
	}
	return b.status(), nil
}

// beginRebalance reports false if there is one under way.
func (p *pool) beginRebalance(b *rebalance) bool {
	p.operating.Lock()
	defer p.operating.Unlock()
	if before := p.rebalance.Load(); before != nil && before.running.Load() {
		return false
	}
	p.rebalance.Store(b)
	go safely.Do("rebalance", func() { p.runRebalance(b) }, func() { b.end() })
	return true
}

func (b *rebalance) status() adminapi.Rebalance {
	b.mu.Lock()
	defer b.mu.Unlock()
	progress := b.progress
	progress.Running = b.running.Load()
	return progress
}

// end ends the rebalance, and reports whether it was running.
func (b *rebalance) end() bool {
	if !b.running.CompareAndSwap(true, false) {
		return false
	}
	close(b.stop)
	return true
}

// runRebalance goes on until nothing is left to be done.
func (p *pool) runRebalance(b *rebalance) {
	defer b.end()
	for {
		c := p.applied.Load()
		if c == nil || !c.targets.Placement().Sticky {
			return // the pool is gone, or has no sessions any more
		}
		began := time.Now()
		moved, left := c.sessions.Relocate(c.homeOf)
		closed := 0
		if now := monotonic(); left > 0 && b.close && b.terms.waited(now) {
			closed = b.drain.some(b.terms, now, left, func(most int) int { return c.closeMisplaced(most) })
		}
		b.mu.Lock()
		b.progress.Moved += moved
		b.progress.Closed += closed
		b.progress.Left = left
		b.mu.Unlock()
		if left == 0 {
			c.logger.Info("the pool is rebalanced", zap.String("pool", c.name), zap.Int("sessions", b.status().Moved))
			return
		}
		select {
		case <-b.stop:
			return
		case <-time.After(max(rebalancePause, rebalanceShare*time.Since(began))):
		}
	}
}

// homeOf returns the home of a session's client, or nil if that is not well.
func (c *poolConfig) homeOf(i session.Info[*target.Target]) *target.Target {
	return c.home(i.Client, usableNow)
}

// closeMisplaced closes about so many connections of clients that belong elsewhere, all of a client together, and returns how many.
func (c *poolConfig) closeMisplaced(most int) int {
	clients := c.chooseClients(most, func(i session.Info[*target.Target]) bool {
		home := c.homeOf(i)
		return home != nil && home != i.Target
	})
	return c.endConnections(errRebalanced, 0, func(held *holding) bool { return clients[held.session.Client()] })
}
