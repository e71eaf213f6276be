package l4sticky

import (
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A change is what may happen to a target, to a name or to a session. The log has a line for it, and Caddy's events app an event. The
// fields of the line are the data of the event.
type change struct {
	event string
	line  string
	level zapcore.Level
}

// All changes, those that undo each other side by side.
var (
	upstreamDeactivated = &change{"upstream_deactivated", "upstream deactivated", zap.WarnLevel}
	upstreamActivated   = &change{"upstream_activated", "upstream accepts again", zap.InfoLevel}
	upstreamSuspected   = &change{"upstream_suspected", "upstream does not answer", zap.WarnLevel}
	upstreamTrusted     = &change{"upstream_trusted", "upstream answers again", zap.InfoLevel}
	checkFailed         = &change{"upstream_check_failed", "upstream check failed", zap.WarnLevel}
	checkPassed         = &change{"upstream_check_passed", "upstream check passed", zap.InfoLevel}
	agentDown           = &change{"upstream_agent_down", "upstream agent says down", zap.WarnLevel}
	agentUp             = &change{"upstream_agent_up", "upstream agent says up", zap.InfoLevel}
	agentMode           = &change{"upstream_agent_mode", "upstream agent sets the mode", zap.InfoLevel}
	agentCapacity       = &change{"upstream_agent_capacity", "upstream agent sets the capacity", zap.DebugLevel}
	agentSilent         = &change{"upstream_agent_silent", "upstream agent does not answer", zap.WarnLevel}
	agentAnswers        = &change{"upstream_agent_answers", "upstream agent answers again", zap.InfoLevel}
	upstreamRemoved     = &change{"upstream_removed", "upstream removed", zap.InfoLevel}
	slowStartDone       = &change{"upstream_slow_start_done", "upstream slow start done", zap.InfoLevel}
	upstreamSet         = &change{"upstream_set", "upstream set by an operator", zap.InfoLevel}
	upstreamDrained     = &change{"upstream_drained", "upstream drained", zap.InfoLevel}
	upstreamSplit       = &change{"upstream_removed", "upstream removed", zap.WarnLevel} // while it has clients
	upstreamAppeared    = &change{"upstream_appeared", "upstream appeared", zap.InfoLevel}
	upstreamLeft        = &change{"upstream_left", "upstream left", zap.WarnLevel}
	addressAppeared     = &change{"address_appeared", "address appeared", zap.InfoLevel}
	addressLeft         = &change{"address_left", "address left", zap.WarnLevel}
	storeFailed         = &change{"session_store_failed", "session store failed", zap.WarnLevel}
	storeWorks          = &change{"session_store_works", "session store works again", zap.InfoLevel}
	storeUnheard        = &change{"session_store_unheard", "news from the session store are not heard", zap.WarnLevel}
	storeHeard          = &change{"session_store_heard", "news from the session store are heard again", zap.InfoLevel}
	sessionMoved        = &change{"session_moved", "session moved", zap.DebugLevel}
)

// tell has the log know of a change, and the handlers that the config has for such events.
func (p *pool) tell(c *change, fields ...zap.Field) {
	fields = append([]zap.Field{zap.String("pool", p.name)}, fields...)
	config := p.applied.Load()
	if config == nil { // no config has the pool any more
		caddy.Log().Named("layer4.sticky").Log(c.level, c.line, fields...)
		return
	}
	config.logger.Log(c.level, c.line, fields...)
	config.events.emit(c, fields)
}

// tellOf is tell for a change of a target. It may be called on any goroutine, and does not block.
func (p *pool) tellOf(m *target.Member, c *change, fields ...zap.Field) {
	switch c {
	case upstreamActivated, checkPassed, agentUp, agentMode:
		defer p.watchSlowStarts()
	}
	p.tell(c, append([]zap.Field{zap.Stringer("upstream", upstreamOf(m)), zap.Stringer("address", m.Address)}, fields...)...)
}

// lasted returns the fields that tell since when and for how long something was so that has ended now.
func lasted(name string, d time.Duration) []zap.Field {
	return []zap.Field{zap.Time("since", time.Now().Add(-d).Round(0)), zap.Duration(name, d)}
}

// reasonOf returns the field that tells why, if that is known.
func reasonOf(err error) zap.Field {
	if err == nil {
		return zap.Skip()
	}
	return zap.String("reason", err.Error())
}

// textOf returns the text of an error that may be nil.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// note counts the sessions at each target, and tells of those that have moved. The session's client is locked meanwhile.
func (p *pool) note(e session.Event[*target.Target]) {
	if s := p.sharing.Load(); s != nil { // a pool without a store pays for no more than this
		s.noteShared(e)
	}
	switch e.Kind {
	case session.Placed, session.Found:
		p.counts.sessions[session.Placed].Add(1)
		e.Target.Sessions.Add(1, 0)
	case session.Restored:
		p.counts.sessions[session.Restored].Add(1)
		e.Target.Sessions.Add(1, 1)
	case session.Idle:
		e.Target.Sessions.Add(0, 1)
	case session.Resumed:
		e.Target.Sessions.Add(0, -1)
	case session.Followed:
		e.Previous.Sessions.Add(-1, -1)
		e.Target.Sessions.Add(1, 1)
		p.counts.sessions[session.Moved].Add(1)
	case session.Moved:
		e.Previous.Sessions.Add(-1, 0)
		e.Target.Sessions.Add(1, 0)
		p.counts.sessions[session.Moved].Add(1)
		p.sessionMoved(e)
	case session.Expired, session.Evicted:
		e.Target.Sessions.Add(-1, -1)
		p.counts.sessions[e.Kind].Add(1)
	case session.Forgotten, session.Dropped:
		e.Target.Sessions.Add(-1, -1)
		p.counts.sessions[session.Forgotten].Add(1)
	}
}

// sessionMoved tells that a client has another target than before. As this may be often, the log has it at its lowest level
// only, and it is not even put together if nothing wants it.
func (p *pool) sessionMoved(e session.Event[*target.Target]) {
	c := p.applied.Load()
	if c == nil || !c.events.wants(sessionMoved) {
		return
	}
	c.events.emitAndLog(sessionMoved, []zap.Field{
		zap.String("pool", p.name),
		zap.Stringer("client", e.Client),
		zap.Stringer("from", e.Previous.Address),
		zap.Stringer("to", e.Target.Address),
		zap.String("reason", c.whyMoved(e)),
	})
}

// obstacleTexts are what the obstacles to a target are for people.
var obstacleTexts = map[target.Cause]string{
	target.NotConfigured: "the upstream was removed",
	target.Withdrawn:     "the upstream is in maintenance",
	target.Inactive:      "the upstream is deactivated",
	target.FailedCheck:   "the checks of the upstream fail",
	target.SaidDown:      "the agent of the upstream says down",
	target.Full:          "the upstream is full",
	target.Suspected:     "the upstream does not answer",
}

// whyMoved returns why a client has another target than before.
func (c *poolConfig) whyMoved(e session.Event[*target.Target]) string {
	if text, known := obstacleTexts[c.obstacle(e.Previous)]; known {
		return text
	}
	switch {
	case !c.bringsHome() || c.home(e.Client, anyMember) != e.Target:
		return "another upstream was sooner to accept"
	case c.settings.options.ReturnHome == returnWhenIdle:
		return "the client's first upstream is back"
	}
	return "the pool is rebalanced"
}

// tellRemoved tells of the targets that are not in a set any more. Those clients that have connections there are at two targets when
// they come again. A name that was unknown is no target any more when it is known.
func (c *poolConfig) tellRemoved(before []*target.Member) {
	for _, m := range before {
		known := func(other *target.Member) bool {
			return !m.Config.At[0].IsValid() && upstreamOf(other) == m.Config.Address
		}
		if c.targets.Member(m.Target) != nil || slices.ContainsFunc(c.targets.Members(), known) {
			continue
		}
		live, idle := m.Sessions.Count()
		connections, kind := m.Connections(), upstreamRemoved
		if live > 0 || connections > 0 {
			kind = upstreamSplit
		}
		c.tellOf(m, kind, zap.Int("connections", connections), zap.Int("sessions_live", live), zap.Int("sessions_idle", idle))
	}
}
