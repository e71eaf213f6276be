package l4sticky

import (
	"slices"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// comeHome has a client that comes back begin where it belongs, before it is looked where it was.
func (p *picker) comeHome() {
	if len(p.tried) == 0 && p.dialer.bringsHome() {
		p.dialer.goHome(p.session, p.client, p.trusted)
	}
}

// choose returns the active target for the connection, which is the client's own where it can be.
func (p *picker) choose() *target.Member {
	if len(p.tried) == 0 {
		current, _ := p.dialer.sessions.Look(p.session)
		if m := p.dialer.targets.Member(current); m != nil {
			if p.trusted(m) {
				return m // as nearly always
			}
			if m.Active() && m.Full() && p.dialer.sessions.Connections(p.session) > 1 {
				p.left = m
			}
		}
		if current != nil {
			p.wants(current)
			p.fails(current, p.dialer.obstacle(current))
		}
	}
	if m := p.among(p.trusted); m != nil {
		return m
	}
	if m := p.among(p.usable); m != nil {
		return m
	}
	return p.among(p.reachable)
}

// among returns a target of those allowed. The session moves with the connection, unless its target may yet answer.
func (p *picker) among(allowed func(*target.Member) bool) *target.Member {
	if p.detour || slices.ContainsFunc(p.late, hopeful) {
		return p.dialer.targets.Place(p.client, allowed)
	}
	return p.dialer.settle(p.session, p.client, allowed)
}

// hopeful reports whether a target whose dial is late may yet answer.
func hopeful(m *target.Member) bool { return m.Active() && !m.Suspect() }

// trusted reports whether the connection may go to a target, and nothing speaks against it.
func (p *picker) trusted(m *target.Member) bool { return !m.Suspect() && p.usable(m) }

// usable reports whether the connection may go to a target.
func (p *picker) usable(m *target.Member) bool { return m.Active() && p.untried(m) }

// reachable reports whether the connection may go to a target of which nothing is known but that its health checks fail, when no
// other is left.
func (p *picker) reachable(m *target.Member) bool { return !m.Deactivated() && p.untried(m) }

// untried reports whether the connection may go to a target as a last resort.
func (p *picker) untried(m *target.Member) bool {
	return m.Mode() != target.Maintenance && !m.Full() && !slices.ContainsFunc(p.tried, m.Is)
}
