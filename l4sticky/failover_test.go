package l4sticky

import (
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// TestObstacles has metrics and events agree on why clients leave a target.
func TestObstacles(t *testing.T) {
	fails := target.Rules{Rise: 1, Fall: 1}
	for name, c := range map[string]struct {
		happens     func(c *poolConfig, m *target.Member)
		cause, text string
	}{
		"deactivated": {func(_ *poolConfig, m *target.Member) { m.Deactivate(time.Hour) }, "deactivated", "the upstream is deactivated"},
		"checks fail": {func(_ *poolConfig, m *target.Member) { m.Checked(false, 0, fails) }, "check", "the checks of the upstream fail"},
		"its agent":   {func(_ *poolConfig, m *target.Member) { m.Reported(true, "down") }, "agent", "the agent of the upstream says down"},
		"full":        {func(_ *poolConfig, m *target.Member) { m.Claim(0) }, "full", "the upstream is full"},
		"maintenance": {func(c *poolConfig, m *target.Member) {
			c.registry.Control(m.Target, target.Operator, target.Control{Mode: target.Maintenance})
		}, "maintenance", "the upstream is in maintenance"},
		"removed": {func(c *poolConfig, m *target.Member) {
			c.targets.Update([]target.Config{{Address: target.Address{Network: "tcp", Dial: "127.0.0.1:3"}, Weight: 1}})
		}, "removed", "the upstream was removed"},
	} {
		t.Run(name, func(t *testing.T) {
			h, home, other := newFullBalancer(t, fullMove, Options{})
			p := h.dialer.poolConfig
			c.happens(p, home)
			if got := p.obstacle(home.Target).String(); got != c.cause {
				t.Errorf("the cause is %q, want %q", got, c.cause)
			}
			moved := session.Event[*target.Target]{Client: visitor, Previous: home.Target, Target: other.Target}
			if got := p.whyMoved(moved); got != c.text {
				t.Errorf("the session has moved since %q, want %q", got, c.text)
			}
		})
	}
}
