package l4sticky

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

var (
	errNoTarget = errors.New("no upstream accepts the connection")
	errFull     = errors.New("the upstream has all the connections that it may have")
	errInactive = errors.New("the upstream was deactivated meanwhile")
)

// An attempt is one connection's search for a target that accepts.
type attempt struct {
	*dialer
	session *clientSession
	client  netip.Addr
	tried   []*target.Member
	// detour means that the client's target failed this connection by no fault of its own. The connection goes
	// elsewhere, and the session stays.
	detour bool

	// spare is a connection to a target that accepted after the client's session had moved on. It is
	// taken if nothing better accepts.
	spare   net.Conn
	spareTo *target.Member
}

// connect dials the client's target, and others when it fails, until one accepts. Connections of one
// client that dial at the same time end up at the same target. The caller releases the target after the
// connection.
func (d *dialer) connect(session *clientSession, client netip.Addr) (net.Conn, *target.Member, error) {
	a := &attempt{dialer: d, session: session, client: client}
	for {
		m, probe := a.next()
		if m == nil {
			return a.settleForSpare()
		}
		conn, err := a.try(m, probe)
		switch {
		case isExhausted(err):
			a.dropSpare()
			return nil, nil, fmt.Errorf("dialling %s: %w", m.Config.Address, err)
		case err == nil && a.agreed(m):
			a.dropSpare()
			return conn, m, nil
		case err == nil:
			a.dropSpare()
			a.spare, a.spareTo = conn, m
		case isBlameless(err):
			a.detour = true
		}
		a.tried = append(a.tried, m)
	}
}

// next returns the target to dial, or nil if none is left. When all that are active have been tried, it
// takes deactivated ones as a last resort: then the dial is a probe of the target, of which there is one
// at a time, and who comes second waits for the result.
func (a *attempt) next() (m *target.Member, probe bool) {
	for {
		if m := a.choose(); m != nil {
			return m, false
		}
		if a.spare != nil {
			return nil, false
		}
		m := a.targets.Place(a.client, a.untried)
		if m == nil {
			return nil, false
		}
		underWay := m.BeginProbe()
		if underWay == nil {
			return m, true
		}
		<-underWay
		if !m.Active() {
			a.tried = append(a.tried, m)
		}
	}
}

// choose returns the active target for the connection, which is the client's unless it takes a detour.
func (a *attempt) choose() *target.Member {
	if a.detour {
		return a.targets.Place(a.client, a.usable)
	}
	return a.settle(a.session, a.client, a.usable)
}

// usable reports whether the connection may go to a target.
func (a *attempt) usable(m *target.Member) bool {
	return m.Active() && a.untried(m)
}

// untried reports whether the connection may go to a target as a last resort.
func (a *attempt) untried(m *target.Member) bool {
	return !m.Full() && !slices.Contains(a.tried, m)
}

// agreed reports whether a target that accepted is still the one for the client. If its session has
// moved meanwhile, its connections meet at the new target.
func (a *attempt) agreed(m *target.Member) bool {
	return a.detour || m.Active() && a.sessions.Target(a.session) == m.Target
}

// try connects to the target and claims a connection of it. A probe that succeeds makes the target active and the
// client's.
func (a *attempt) try(m *target.Member, probe bool) (net.Conn, error) {
	if probe {
		defer m.EndProbe()
	}
	if !m.Claim(m.Config.MaxConnections) {
		return nil, errFull
	}
	ctx, active := m.Dialing()
	if !active && !probe {
		m.Release()
		return nil, errInactive
	}
	conn, err := a.dial(ctx, m)
	if err != nil {
		m.Release()
		return nil, err
	}
	if probe {
		a.accepts(m)
		if !a.detour {
			a.move(a.session, m)
		}
	}
	return conn, nil
}

// settleForSpare takes the spare connection, if there is one, and the session with it unless others of the client
// have an active target.
func (a *attempt) settleForSpare() (net.Conn, *target.Member, error) {
	if a.spare == nil {
		return nil, nil, errNoTarget
	}
	a.sessions.Settle(a.session,
		func(t *target.Target) bool { return a.targets.Member(t) != nil && t.Active() },
		func() *target.Target { return a.spareTo.Target })
	return a.spare, a.spareTo, nil
}

func (a *attempt) dropSpare() {
	if a.spare != nil {
		_ = a.spare.Close()
		a.spareTo.Release()
		a.spare = nil
	}
}
