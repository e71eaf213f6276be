package l4sticky

import (
	"net/netip"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// TestExplainedAsDone has explained where a client goes, and looks whether its next connection goes there.
func TestExplainedAsDone(t *testing.T) {
	left := func(c *poolConfig, home, other *target.Member) { // the client has left its home, and has no connections
		s, _ := c.acquire(visitor, 0)
		moveTo(c, s, home)
		moveTo(c, s, other)
		c.sessions.Release(s)
	}
	fall := func(m *target.Member) { m.Checked(false, 0, target.Rules{Rise: 1, Fall: 1}) }
	for name, test := range map[string]struct {
		options Options
		before  func(c *poolConfig, home, other *target.Member)
		reason  string
	}{
		"new":          {before: func(_ *poolConfig, _, _ *target.Member) {}, reason: becausePlacement},
		"stays":        {before: left, reason: becauseSession},
		"returns home": {Options{ReturnHome: returnWhenIdle}, left, becausePlacement},
		"rebalance": {before: func(c *poolConfig, home, other *target.Member) {
			left(c, home, other)
			b := new(rebalance)
			b.running.Store(true)
			c.rebalance.Store(b)
		}, reason: becausePlacement},
		"all checks fail": {before: func(_ *poolConfig, home, other *target.Member) {
			fall(home)
			fall(other)
		}, reason: becauseFailover},
		"all checks fail, with a session": {before: func(c *poolConfig, home, other *target.Member) {
			left(c, home, other)
			fall(home)
			fall(other)
		}, reason: becauseFailover},
		"nothing answers": {before: func(_ *poolConfig, home, other *target.Member) {
			for _, client := range []string{"192.0.2.8", "192.0.2.9"} {
				home.Late(netip.MustParseAddr(client), time.Hour)
				other.Late(netip.MustParseAddr(client), time.Hour)
			}
		}, reason: becauseFailover},
		"an agent wants no clients there": {before: func(c *poolConfig, home, _ *target.Member) {
			c.registry.Control(home.Target, target.Agent, target.Control{Percent: new(int)})
		}, reason: becauseDrained},
	} {
		t.Run(name, func(t *testing.T) {
			h, home, other := newFullBalancer(t, fullMove, test.options)
			test.before(h.dialer.poolConfig, home, other)
			e := h.dialer.explain(visitor)
			d, step := newVisit(t, h).Next(quietWaker{})
			if step != search.DialTarget {
				t.Fatal("the client goes nowhere")
			}
			at := d.Target.(*target.Member)
			at.Release()
			if e.Upstream != at.Config.Address.String() || e.Reason != test.reason || e.Text == "" {
				t.Errorf("the client goes to %v, and it is said to %q, because of %s: %s", at.Config.Address, e.Upstream, e.Reason, e.Text)
			}
		})
	}
}
