package l4sticky

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/health"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// askOnce asks the target's agent once. An agent that does not answer changes nothing, as its target may be well.
func (c *checker) askOnce(ctx context.Context) {
	safely.Reach("agent check")
	config, m, n := c.current()
	if m == nil {
		return
	}
	line, err := n.askAgent(ctx, m)
	switch {
	case ctx.Err() != nil:
	case err != nil && isOurs(err):
		n.dialer.notBlamed(m, fmt.Errorf("asking the agent: %w", err))
	case err != nil:
		if !c.silent {
			config.tellOf(m, agentSilent, reasonOf(err))
		}
		c.silent = true
	default:
		if c.silent {
			config.tellOf(m, agentAnswers)
		}
		c.silent = false
		c.heed(config, m, health.ParseReport(line), line)
	}
}

// askAgent returns the line of a target's agent.
func (n *checking) askAgent(ctx context.Context, m *target.Member) (string, error) {
	deadline := time.Now().Add(time.Duration(n.options.Timeout))
	dialling, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := n.dial(dialling, m, n.options.AgentPort)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return health.Ask(ctx, conn, n.ask, deadline)
}

// heed does as an agent says, and tells what that changes.
func (c *checker) heed(config *poolConfig, m *target.Member, r health.Report, line string) {
	if r.Unknown != c.unknown && r.Unknown != "" {
		config.logger.Warn("an upstream's agent says what has no meaning", append(upstreamFields(m), zap.String("pool", config.name), zap.String("word", r.Unknown), zap.String("line", line))...)
	}
	c.unknown = r.Unknown
	reason := "its agent says " + cmp.Or(r.Mode, r.State)
	if r.Description != "" {
		reason += ": " + r.Description
	}
	h, counts := c.apply(r, reason)
	if !counts {
		return
	}
	c.pool.watchDrains()
	if h.before.Mode != h.after.Mode {
		config.tellOf(m, agentMode, zap.String("mode", r.Mode), zap.String("reason", reason))
	}
	if h.changesCapacity() {
		config.tellOf(m, agentCapacity, numberOf("weight_percent", h.after.Percent), numberOf("max_connections", h.after.MaxConnections))
	}
	switch {
	case !h.turned:
	case r.State == "up":
		config.tellOf(m, agentUp, lasted("down_for", h.downFor)...)
	default:
		config.tellOf(m, agentDown, zap.String("reason", reason))
		config.refreshIfDown(m)
		config.endWhenDown(m)
	}
}

// A heeded is what the line of an agent has changed.
type heeded struct {
	before, after target.Control
	turned        bool          // from up to down, or back
	downFor       time.Duration // if it is up again
}

// changesCapacity reports whether the agent wants another weight or limit than before.
func (h *heeded) changesCapacity() bool {
	return !equal(h.before.Percent, h.after.Percent) || !equal(h.before.MaxConnections, h.after.MaxConnections)
}

// agentModes are the modes by the words of agents.
var agentModes = map[string]target.Mode{"ready": target.Serve, "drain": target.Drain, "maint": target.Maintenance}

// apply gives what an agent says to the target, unless the agent is not to be asked any more.
func (c *checker) apply(r health.Report, reason string) (h heeded, counts bool) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.pool.checks[c.task] != c {
		return h, false
	}
	h.before = c.Control(target.Agent)
	h.after = h.before
	if mode, said := agentModes[r.Mode]; said && mode != h.before.Mode {
		h.after.Mode, h.after.Reason = mode, reason
	}
	h.after.Percent = cmp.Or(r.Percent, h.before.Percent)
	h.after.MaxConnections = cmp.Or(r.MaxConnections, h.before.MaxConnections)
	if h.before.Mode != h.after.Mode || h.changesCapacity() {
		c.pool.registry.Control(c.Target, target.Agent, h.after)
	}
	if r.State != "" {
		h.downFor, h.turned = c.Reported(r.State != "up", reason)
	}
	return h, true
}

// forgetAgent undoes what an agent has said, since it is not asked any more.
func (p *pool) forgetAgent(t *target.Target) {
	t.Reported(false, "")
	if t.Control(target.Agent) != (target.Control{}) {
		p.registry.Control(t, target.Agent, target.Control{})
	}
}

// numberOf returns the field of a number that may be missing.
func numberOf(name string, n *int) zap.Field {
	if n == nil {
		return zap.Skip()
	}
	return zap.Int(name, *n)
}

// equal compares numbers that may be missing.
func equal(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
