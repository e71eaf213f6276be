package l4sticky

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// slowStarts are the targets of a pool that start slowly, each with a timer for its end. What the start means for clients is decided
// in package target; here it is only told that it is done.
type slowStarts struct {
	mu     sync.Mutex
	timers map[*target.Target]*time.Timer
}

// watchSlowStarts looks for targets of the pool that start slowly. It is called when any may do so from now on.
func (p *pool) watchSlowStarts() {
	c := p.applied.Load()
	if c == nil || c.settings.options.SlowStart == 0 {
		return
	}
	p.starts.mu.Lock()
	defer p.starts.mu.Unlock()
	for _, m := range c.targets.Members() {
		if left := time.Duration(c.settings.options.SlowStart) - m.Returned(); left > 0 && p.starts.timers[m.Target] == nil {
			p.starts.unsyncedSet(m.Target, left, func() { p.slowStartOver(m.Target) })
		}
	}
}

func (s *slowStarts) unsyncedSet(t *target.Target, left time.Duration, over func()) {
	if s.timers == nil {
		s.timers = make(map[*target.Target]*time.Timer)
	}
	s.timers[t] = time.AfterFunc(left, safely.Func("slow start", over))
}

// slowStartOver tells that a target has all of its share, if it still has its place and has not left it meanwhile.
func (p *pool) slowStartOver(t *target.Target) {
	p.starts.mu.Lock()
	delete(p.starts.timers, t)
	p.starts.mu.Unlock()
	c := p.applied.Load()
	if c == nil {
		return
	}
	took := time.Duration(c.settings.options.SlowStart)
	if m := c.targets.Member(t); m != nil && m.Active() && t.Returned() >= took {
		c.tellOf(m, slowStartDone, zap.Duration("slow_start", took))
	}
	p.watchSlowStarts() // it may have begun anew
}
