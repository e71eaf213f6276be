package l4sticky

import (
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/share"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A connResult is what became of a connection that is over.
type connResult int

const (
	connEnded          connResult = iota // it had an upstream, and neither side failed
	connClientFailed                     // the client's side failed
	connUpstreamFailed                   // the upstream's side failed
	connCut                              // the balancer has ended it
	connBlocked                          // a limit has kept it out
	connClientLeft                       // the client has left before there was an upstream
	connNoUpstream                       // no upstream accepted it
	connFailed                           // something else has kept it from getting an upstream, or has broken it

	connResults
)

var connResultNames = [connResults]string{"ended", "client_failed", "upstream_failed", "cut", "blocked", "client_left", "no_upstream", "failed"}

// blockReasons are the limits that keep connections out: names of options, and upstreamsFull.
var blockReasons = []string{"max_connections", "max_connections_per_client", upstreamsFull, "when_full", "wait_timeout", "max_waiting"}

// sessionEvents are the events of sessions that are counted, by their names.
var sessionEvents = map[session.Kind]string{
	session.Placed: "placed", session.Restored: "restored", session.Moved: "moved", session.Expired: "expired", session.Evicted: "evicted", session.Forgotten: "forgotten",
}

// The upper ends of the buckets of histograms.
var (
	connectionBounds = []time.Duration{
		10 * time.Millisecond, 100 * time.Millisecond, 500 * time.Millisecond, time.Second, 5 * time.Second, 30 * time.Second,
		time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 24 * time.Hour,
	}
	dialBounds = []time.Duration{
		100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
		10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 2500 * time.Millisecond, 5 * time.Second,
	}
)

// counts are what a pool counts beside what its targets do. They live as long as the pool, so that they go on right through reloads.
type counts struct {
	results   [connResults]atomic.Int64
	duration  durations                           // of connections that had a target, since they began to look for one
	dials     durations                           // that succeeded
	sessions  [session.Forgotten + 1]atomic.Int64 // by the kind of event; only sessionEvents are counted
	failovers target.CauseCount
	blocked   map[string]*atomic.Int64 // by blockReasons; it never changes
	store     share.Counts
}

func newCounts() *counts {
	c := &counts{blocked: make(map[string]*atomic.Int64), duration: newDurations(connectionBounds), dials: newDurations(dialBounds)}
	for _, reason := range blockReasons {
		c.blocked[reason] = new(atomic.Int64)
	}
	return c
}

// over counts a connection that is over.
func (c *counts) over(r connResult) { c.results[r].Add(1) }

// block counts a connection that a limit keeps out.
func (c *counts) block(reason string) {
	c.over(connBlocked)
	c.blocked[reason].Add(1)
}

// dialled counts a dial that has succeeded.
func (c *counts) dialled(m *target.Member, took time.Duration) {
	m.Dials.Accepted()
	c.dials.observe(took)
}

// connResultOf returns what became of a connection that had a target.
func connResultOf(r flow.Result, cut bool) connResult {
	switch {
	case cut:
		return connCut
	case r.TargetErr != nil:
		return connUpstreamFailed
	case r.ClientErr == safely.ErrPanic:
		return connFailed
	case r.ClientErr != nil:
		return connClientFailed
	}
	return connEnded
}
