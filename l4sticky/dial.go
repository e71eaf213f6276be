package l4sticky

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

var (
	errNoTarget = errors.New("no upstream accepts the connection")
	errFull     = errors.New("the upstream has all the connections that it may have")
	errInactive = errors.New("the upstream was deactivated meanwhile")
)

// exhausted are the errors by which a dial fails for want of this machine's resources. They say nothing
// about the target, and another one would fail alike.
var exhausted = []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}

func isExhausted(err error) bool {
	return slices.ContainsFunc(exhausted, func(local error) bool { return errors.Is(err, local) })
}

// isLocal reports whether a failed dial is no fault of the target: besides those, there may be no source port
// left for it, where another target may still have some.
func isLocal(err error) bool {
	return isExhausted(err) || errors.Is(err, syscall.EADDRNOTAVAIL)
}

// An attempt is one connection's search for a target that accepts.
type attempt struct {
	*Handler
	session *clientSession
	client  netip.Addr
	tried   []*target.Member

	// spare is a connection to a target that accepted after the client's session had moved on. It is
	// taken if nothing better accepts.
	spare   net.Conn
	spareTo *target.Member
}

// connect dials the client's target, and others when it fails, until one accepts. Connections of one
// client that dial at the same time end up at the same target. The caller releases the target after the
// connection.
func (h *Handler) connect(session *clientSession, client netip.Addr) (net.Conn, *target.Member, error) {
	a := &attempt{Handler: h, session: session, client: client}
	for {
		m, probe := a.next()
		if m == nil {
			break
		}
		conn, err := a.dial(m, probe)
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
		}
		a.tried = append(a.tried, m)
	}
	if a.spare != nil {
		return a.spare, a.spareTo, nil
	}
	return nil, nil, errNoTarget
}

// next returns the target to dial, or nil if none is left. When all that are active have been tried, it
// takes deactivated ones as a last resort: then the dial is a probe of the target, of which there is one
// at a time, and who comes second waits for the result.
func (a *attempt) next() (m *target.Member, probe bool) {
	for {
		if m := a.variant.settle(a.session, a.client, a.usable); m != nil {
			return m, false
		}
		if a.spare != nil {
			return nil, false
		}
		m := a.variant.targets.Place(a.client, a.untried)
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
	return m.Active() && a.variant.sessions.Target(a.session) == m.Target
}

func (a *attempt) dropSpare() {
	if a.spare != nil {
		_ = a.spare.Close()
		a.spareTo.Release()
		a.spare = nil
	}
}

// dial connects to the target and claims a connection of it. A failure deactivates the target. A probe
// that succeeds makes the target active and the client's.
func (a *attempt) dial(m *target.Member, probe bool) (net.Conn, error) {
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
	conn, err := a.dialTarget(ctx, m)
	if err != nil {
		m.Release()
		return nil, err
	}
	if probe {
		if m.Activate() {
			a.logger.Info("upstream accepts again", zap.Stringer("upstream", m.Config.Address))
		}
		a.variant.move(a.session, m)
	}
	return conn, nil
}

// dialTarget dials once. A failure deactivates the target, unless it has been deactivated meanwhile, which
// ends the context, or this machine is to blame.
func (h *Handler) dialTarget(ctx context.Context, m *target.Member) (net.Conn, error) {
	deadline, cancel := context.WithTimeout(ctx, time.Duration(h.DialTimeout))
	defer cancel()
	conn, err := h.dialer.DialContext(deadline, m.Config.Address.Network, m.Config.Address.Dial)
	if err == nil || ctx.Err() != nil || isLocal(err) {
		return conn, err
	}
	if m.Deactivate(h.variant.deactivation) {
		h.logger.Warn("upstream deactivated",
			zap.Stringer("upstream", m.Config.Address),
			zap.Duration("duration", h.variant.deactivation),
			zap.Error(err))
	}
	return nil, err
}

// verify looks at a target after an established connection to it failed. One broken connection does not
// tell that the target is gone: it is deactivated only if it does not accept another one.
func (h *Handler) verify(m *target.Member) {
	if m.BeginProbe() != nil {
		return
	}
	go h.probe(m)
}

func (h *Handler) probe(m *target.Member) {
	defer m.EndProbe()
	ctx, active := m.Dialing()
	if !active {
		return
	}
	if conn, err := h.dialTarget(ctx, m); err == nil {
		_ = conn.Close()
	}
}
