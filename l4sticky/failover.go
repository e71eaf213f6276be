package l4sticky

import (
	"cmp"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// wants notes the target that the connection wants, if it is the first one.
func (p *picker) wants(t *target.Target) {
	if p.wanted == nil {
		p.wanted = t
	}
}

// fails notes why the connection can't go to a target, if that is the one which it wanted first.
func (p *picker) fails(t *target.Target, why target.Cause) {
	if p.wanted == t {
		p.why = cmp.Or(p.why, why)
	}
}

// countFailover counts a connection that has got another target than it wanted first.
func (p *picker) countFailover(m *target.Member) {
	if p.wanted != nil && p.wanted != m.Target {
		p.dialer.counts.failovers.Add(cmp.Or(p.why, target.Disagreement))
	}
}

// obstacle returns why no connection goes to a target now.
func (c *poolConfig) obstacle(t *target.Target) target.Cause {
	m := c.targets.Member(t)
	switch {
	case m == nil:
		return target.NotConfigured
	case m.Mode() == target.Maintenance:
		return target.Withdrawn
	case m.Deactivated():
		return target.Inactive
	case m.Down():
		return target.FailedCheck
	case m.DownByAgent():
		return target.SaidDown
	case m.Full():
		return target.Full
	case m.Suspect():
		return target.Suspected
	}
	return 0 // it has just become usable
}
