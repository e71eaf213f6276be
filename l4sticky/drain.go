package l4sticky

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

const (
	// drainTick is how often targets are looked at that drain.
	drainTick = 100 * time.Millisecond
	// drainTime is over what time connections are closed whose deadline is over, where no rate is given.
	drainTime = 30 * time.Second
)

// errDrained is why a connection is ended whose target drains, or is in maintenance.
var errDrained = errors.New("the deadline of the upstream's drain is over")

// drains are the targets of a pool that get no new clients. A goroutine looks at them until all are empty.
type drains struct {
	mu      sync.Mutex
	all     map[*target.Target]*drain
	running bool
}

// A drain is the way of one target until it is empty.
type drain struct {
	drainTerms                // guarded by the mutex of drains
	member     *target.Member // of the last config that had it; guarded as well

	// The others belong to the goroutine.
	told    bool          // that it is empty
	closing drainTerms    // by which connections are closed
	pace    float64       // connections in a second
	last    time.Duration // when some were closed last
	due     float64       // how many are to be closed, with the part of one that is not due yet
}

// drainTerms say how a drain ends.
type drainTerms struct {
	deadline *caddy.Duration // how long after it began what is left is closed
	rate     *float64        // how many connections are closed in a second
	began    time.Duration   // when the deadline was set
}

// over reports whether what is left is to be closed.
func (t drainTerms) over(now time.Duration) bool {
	return t.deadline != nil && t.waited(now)
}

// waited reports whether the deadline is over, or there is none.
func (t drainTerms) waited(now time.Duration) bool {
	return t.deadline == nil || now-t.began >= time.Duration(*t.deadline)
}

// watchDrains looks for targets of the pool that drain. It is called when any may do so from now on.
func (p *pool) watchDrains() {
	c := p.applied.Load()
	if c == nil {
		return
	}
	p.drains.mu.Lock()
	defer p.drains.mu.Unlock()
	for _, m := range c.targets.Members() {
		if m.Drains() && p.drains.all[m.Target] == nil {
			p.drains.unsyncedAdd(m.Target)
		}
	}
	if len(p.drains.all) > 0 && !p.drains.running {
		p.drains.running = true
		go safely.Do("drain", p.drainAll)
	}
}

func (d *drains) unsyncedAdd(t *target.Target) *drain {
	if d.all == nil {
		d.all = make(map[*target.Target]*drain)
	}
	one := new(drain)
	d.all[t] = one
	return one
}

// setDrain notes the deadline, which began at some time, and the rate of a target that drains. Those that are nil stay as they are.
func (p *pool) setDrain(t *target.Target, deadline *caddy.Duration, rate *float64, began time.Duration) {
	p.drains.mu.Lock()
	defer p.drains.mu.Unlock()
	d := p.drains.all[t]
	if d == nil {
		d = p.drains.unsyncedAdd(t)
	}
	if c := p.applied.Load(); c != nil {
		d.member = cmp.Or(c.targets.Member(t), d.member)
	}
	if deadline != nil {
		d.deadline, d.began = deadline, began
	}
	if rate != nil {
		d.rate = rate
	}
}

// endDrain forgets the deadline and the rate of a target.
func (p *pool) endDrain(t *target.Target) {
	p.drains.mu.Lock()
	defer p.drains.mu.Unlock()
	delete(p.drains.all, t)
}

// drainTerms returns how the drain of a target ends.
func (p *pool) drainTerms(t *target.Target) drainTerms {
	p.drains.mu.Lock()
	defer p.drains.mu.Unlock()
	if d := p.drains.all[t]; d != nil {
		return d.drainTerms
	}
	return drainTerms{}
}

// drainAll looks at the targets that drain until nothing is left to be done.
func (p *pool) drainAll() {
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	for more := true; more; {
		safely.Do("drain", func() { more = p.drainOnce(monotonic()) })
		if more {
			<-tick.C
		}
	}
}

// drainOnce reports whether there is more to be done later.
func (p *pool) drainOnce(now time.Duration) (more bool) {
	safely.Reach("drain")
	for t, d := range p.drains.clone() {
		c, m, terms := p.draining(t)
		switch {
		case m == nil:
		case !t.Empty():
			d.told = false
			if terms.over(now) {
				c.closeRest(m, d, terms, now)
			}
		case !d.told:
			d.told = true
			c.tellOf(m, upstreamDrained, zap.String("reason", m.Condition().Reason))
		}
	}
	return p.anyDrains()
}

// draining returns a target that still drains, and how that ends. One that does not is forgotten, and m is nil. What an operator has begun goes on
// for a target that no config has any more, and is there when one has it again.
func (p *pool) draining(t *target.Target) (c *poolConfig, m *target.Member, terms drainTerms) {
	p.drains.mu.Lock() // so that a drain which begins now is not forgotten
	defer p.drains.mu.Unlock()
	c, d := p.applied.Load(), p.drains.all[t]
	if c == nil || d == nil {
		return nil, nil, terms
	}
	if m = c.targets.Member(t); m != nil {
		d.member = m
	} else if t.Control(target.Operator).Mode != target.Serve {
		m = d.member
	}
	if m == nil || !m.Drains() {
		delete(p.drains.all, t)
		return nil, nil, terms
	}
	return c, m, d.drainTerms
}

func (d *drains) clone() map[*target.Target]*drain {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.all)
}

// anyDrains reports whether any target is not empty, and notes that nothing looks at them any more if none is, or no config has the pool.
func (p *pool) anyDrains() bool {
	d := &p.drains
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = false
	if p.applied.Load() == nil {
		return false
	}
	for t, one := range d.all {
		d.running = d.running || !one.told || !t.Empty()
	}
	return d.running
}

// closeRest closes as many connections of a target as are due, and forgets the sessions of their clients, so that they go elsewhere. The
// sessions without connections go first, all at once.
func (c *poolConfig) closeRest(m *target.Member, d *drain, terms drainTerms, now time.Duration) {
	if d.closing != terms {
		idle := c.sessions.Forget(func(i session.Info[*target.Target]) bool { return i.Target == m.Target && !i.Live() })
		c.logger.Info("closing what is left at an upstream", append(upstreamFields(m),
			zap.String("pool", c.name), zap.Int("connections", m.Connections()), zap.Int("sessions_idle", idle))...)
	}
	d.some(terms, now, m.Connections(), func(most int) int { return c.closeSome(m, most) })
}

// some has as many connections closed as are due by the terms, of so many that there are when it is called first, and returns how
// many. The pace has some jitter.
func (d *drain) some(terms drainTerms, now time.Duration, there int, closeSome func(most int) int) (closed int) {
	if d.closing != terms {
		d.closing, d.last, d.due = terms, now, 0
		d.pace = float64(max(there, 1)) / drainTime.Seconds() // others may come
		if terms.rate != nil {
			d.pace = *terms.rate
		}
	}
	d.due += d.pace * (now - d.last).Seconds() * (0.5 + rand.Float64())
	d.last = now
	if d.due >= 1 {
		closed = closeSome(int(min(d.due, math.MaxInt32))) // a rate may be greater than any number of connections
		d.due -= float64(closed)
	}
	return closed
}

// closeSome closes about so many connections of a target, all of a client together, and returns how many.
func (c *poolConfig) closeSome(m *target.Member, most int) int {
	clients := c.chooseClients(most, func(i session.Info[*target.Target]) bool { return i.Target == m.Target })
	at := func(held *holding) bool { return held.upstream != nil && held.upstream.Target == m.Target }
	if len(clients) > 0 {
		return max(1, c.endConnections(errDrained, 0, func(held *holding) bool { return at(held) && clients[held.session.Client()] }))
	}
	return c.endConnections(errDrained, most, at) // those that are in no session
}
