package target

import "time"

// A State is what a target is good for.
type State string

const (
	// Active means that the target gets clients.
	Active State = "active"
	// Deactivated means that the target gets no connections, since it has failed, or its checks fail, or that was asked for.
	Deactivated State = "deactivated"
	// Draining means that the target gets no new clients, and still has sessions or connections.
	Draining State = "draining"
	// Drained means that the target gets no new clients, and has neither sessions nor connections.
	Drained State = "drained"
	// InMaintenance means that the target gets no connections, since an operator or its agent wants it so.
	InMaintenance State = "maintenance"
	// Removed means that no config has the target any more, and that it still has connections or sessions.
	Removed State = "removed"
)

// States returns all states.
func States() []State { return []State{Active, Deactivated, Draining, Drained, InMaintenance, Removed} }

// A Condition is the state of a target, and how it came to that.
type Condition struct {
	State State
	// Reason is empty for a target that is active.
	Reason string
	// Since is when the state began, on the registry's clock.
	Since time.Duration
	// Until is when a deactivation ends by itself, or 0.
	Until time.Duration
}

// Explain tells why the target was deactivated last, or why its checks fail.
func (t *Target) Explain(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reason = reason
}

// RemovedAt returns when the last set was closed that held the target, on the registry's clock.
func (t *Target) RemovedAt() time.Duration { return time.Duration(t.removed.Load()) }

// Empty reports whether the target has neither sessions nor connections.
func (t *Target) Empty() bool {
	live, idle := t.Sessions.Count()
	return live == 0 && idle == 0 && t.Connections() == 0
}

// Condition returns the state of the target, and how it came to that. What is said first of several holds: in maintenance, deactivated,
// drained, draining, active.
func (m *Member) Condition() Condition {
	t := m.Target
	t.mu.Lock()
	defer t.mu.Unlock()
	switch mode := t.Mode(); {
	case mode == Maintenance:
		return Condition{State: InMaintenance, Reason: t.modeReason, Since: t.modeSince}
	case t.Deactivated():
		return Condition{State: Deactivated, Reason: t.reason, Since: t.deactivated, Until: time.Duration(t.inactiveUntil.Load())}
	case t.down.Load():
		return Condition{State: Deactivated, Reason: t.reason, Since: t.downSince}
	case t.agentDown.Load():
		return Condition{State: Deactivated, Reason: t.agentReason, Since: t.agentDownSince}
	case !m.Drains():
		return Condition{State: Active, Since: max(t.returnedAt(t.now()), t.created)}
	case mode == Drain:
		return Condition{State: t.drainState(), Reason: t.modeReason, Since: t.modeSince}
	case m.Config.Drain:
		return Condition{State: t.drainState(), Reason: "the config has drain", Since: t.created}
	}
	return Condition{State: t.drainState(), Reason: "its weight is 0", Since: t.created}
}

func (t *Target) drainState() State {
	if t.Empty() {
		return Drained
	}
	return Draining
}

// Removed returns the targets that are not in a set, which may be nil, and that have connections or sessions.
func (r *Registry) Removed(s *Set) (removed []*Target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.targets {
		if (s == nil || s.Member(t) == nil) && !t.Empty() {
			removed = append(removed, t)
		}
	}
	return removed
}
