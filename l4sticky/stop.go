package l4sticky

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

const (
	// stopReport is how often the log tells how many connections Caddy waits for.
	stopReport = 5 * time.Second
	// spreadPause is the mean time between two moments at which connections are ended one after the other. It is longer where looking
	// for them takes more than one part in spreadShare of the time, but there are at least spreadSteps of these moments.
	spreadPause = 100 * time.Millisecond
	spreadShare = 20
	spreadSteps = 20
)

// errExit is why connections end that are left when Caddy exits.
var errExit = errors.New("the process exits")

// stopTerms say how long connections may go on when Caddy exits. Of several, the longest times count.
type stopTerms struct {
	grace  time.Duration
	spread time.Duration // the last part of it, in which the connections are ended one after the other
}

func (t stopTerms) longest(other stopTerms) stopTerms {
	return stopTerms{max(t.grace, other.grace), max(t.spread, other.spread)}
}

// A stopping is the wait for the connections of a pool when Caddy exits.
type stopping struct {
	*pool
	stopTerms
	logger *zap.Logger
	until  time.Time

	paced time.Time // when the last connection is to be ended by the spread, which leaves time for that
	last  time.Time // when some were ended, or the beginning of the spread
	due   float64   // how many are to be ended, with the part of one that is not due yet
	ended int
}

// end is endAll for one pool.
func (p *pool) end(began time.Time) {
	defer p.finish()
	defer p.part()
	safely.Reach("exit")
	open := p.open.Load()
	if open == 0 {
		return
	}
	p.mu.Lock()
	s := &stopping{pool: p, stopTerms: p.stop, until: began.Add(p.stop.grace)}
	p.mu.Unlock()
	s.logger = caddy.Log().Named("layer4.sticky").With(zap.String("pool", p.name), zap.Duration("grace_period", s.grace))
	if s.grace > 0 {
		s.logger.Info("waiting for open connections", zap.Int64("connections", open), zap.Duration("stop_spread", s.spread))
		s.await()
	}
	if s.ended > 0 {
		s.logger.Warn("open connections were ended one after the other", zap.Int("connections", s.ended), zap.Duration("stop_spread", s.spread))
	}
	if open = p.open.Load(); open == 0 {
		return
	}
	s.logger.Warn("cutting open connections", zap.Int64("connections", open))
	p.endConnections(errExit, 0, func(*holding) bool { return true })
	p.awaitCut()
}

// cutTime is how long connections may take to end that were cut.
const cutTime = time.Second

// awaitCut waits for the end of connections that were cut, since the goroutines which carry some of them have yet to tell the access log.
func (p *pool) awaitCut() {
	timeout := time.NewTimer(cutTime)
	defer timeout.Stop()
	for p.open.Load() > 0 {
		select {
		case <-p.emptied:
		case <-timeout.C:
			return
		}
	}
}

// await returns when no connection holds the pool, when the grace period is over, or when Caddy is told once more to exit. One may wait at
// a time.
func (s *stopping) await() {
	timeout, report := time.NewTimer(time.Until(s.until)), time.NewTicker(stopReport)
	defer timeout.Stop()
	defer report.Stop()
	var spread <-chan time.Time
	if s.spread > 0 {
		s.last, s.paced = s.until.Add(-s.spread), s.until.Add(-min(spreadPause, s.spread/2))
		spread = time.After(time.Until(s.last))
	}
	for s.open.Load() > 0 {
		select {
		case <-s.emptied:
		case <-report.C:
			s.logger.Info("still waiting for open connections", zap.Int64("connections", s.open.Load()), zap.Int("ended", s.ended),
				zap.Duration("left", time.Until(s.until).Round(time.Second)))
		case <-spread:
			spread = time.After(s.endSome(time.Now()))
		case <-timeout.C:
			return
		case <-hurry:
			return
		}
	}
}

// endSome ends as many connections as are due so that the last one ends just before the grace period does, all of a client together. It
// returns after what time it is to be called again, which has some jitter.
func (s *stopping) endSome(now time.Time) time.Duration {
	open := float64(s.open.Load())
	s.due += open * float64(now.Sub(s.last)) / max(1, float64(s.paced.Sub(s.last)))
	s.last = now
	if most := int(min(s.due, open)); most >= 1 {
		ended := s.endClients(most)
		s.ended += ended
		s.due = max(0, s.due-float64(ended))
	}
	pause := max(spreadPause, min(spreadShare*time.Since(now), s.spread/spreadSteps))
	pause = time.Duration(float64(pause) * (0.5 + rand.Float64()))
	if left := time.Until(s.paced); left > 0 {
		return min(pause, left)
	}
	return pause
}

// endClients ends about so many connections and returns how many.
func (s *stopping) endClients(most int) int {
	clients := s.chooseClients(most, func(session.Info[*target.Target]) bool { return true })
	if len(clients) > 0 {
		return s.endConnections(errExit, 0, func(held *holding) bool { return clients[held.session.Client()] })
	}
	return s.endConnections(errExit, most, func(*holding) bool { return true }) // those that are in no session
}
