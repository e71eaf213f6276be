package l4sticky

import (
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// TestReasonOfMoves tells why sessions go home.
func TestReasonOfMoves(t *testing.T) {
	for name, test := range map[string]struct {
		options    Options
		rebalances bool
		want       string
	}{
		"return_home":            {Options{ReturnHome: returnWhenIdle}, false, "the client's first upstream is back"},
		"rebalance":              {Options{}, true, "the pool is rebalanced"},
		"another one was sooner": {Options{}, false, "another upstream was sooner to accept"},
	} {
		t.Run(name, func(t *testing.T) {
			h, home, other := newFullBalancer(t, fullMove, test.options)
			b := new(rebalance)
			b.running.Store(test.rebalances)
			h.dialer.rebalance.Store(b)
			moved := session.Event[*target.Target]{Kind: session.Moved, Client: visitor, Previous: other.Target, Target: home.Target}
			if got := h.dialer.whyMoved(moved); got != test.want {
				t.Errorf("a session has moved since %s", got)
			}
		})
	}
}

// TestRebalanceEndsWithSessions has a reload take the placement away by which a rebalance brings clients home.
func TestRebalanceEndsWithSessions(t *testing.T) {
	h, home, other := newFullBalancer(t, fullMove, Options{Placement: target.Random.Name})
	c := h.dialer.poolConfig
	s := c.sessions.Acquire(visitor)
	moveTo(c, s, other)
	defer c.sessions.Release(s)
	c.targets.Update([]target.Config{home.Config}) // so that the client belongs elsewhere
	b := &rebalance{stop: make(chan struct{})}
	b.running.Store(true)
	if !c.beginRebalance(b) {
		t.Fatal("it does not begin")
	}
	deadline := time.Now().Add(2 * time.Second)
	for b.running.Load() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if b.end() {
		t.Error("it goes on")
	}
}
