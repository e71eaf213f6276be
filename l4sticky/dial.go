package l4sticky

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

var errNoTarget = errors.New("no upstream accepts the connection")

// An attempt is one connection's search for a target that accepts, which the relay carries out. Connections of one
// client that search at the same time end up at the same target.
type attempt struct {
	*Handler
	session *clientSession
	client  netip.Addr
	remote  net.Addr
	local   net.Addr // that the client has connected to
	way     []stop   // on which it has come within this process before
	header  int      // bytes of the PROXY header
	over    func()   // to be called when the connection is over, if not nil

	tried []*target.Member  // dialled, or passed over
	late  []*target.Member  // those whose dials are late
	room  [2]*target.Member // the memory of tried, which seldom takes more
	// known means that the client has been at its target before. One lost packet moves nobody away from there.
	known bool
	// detour means that the client's target failed this connection by no fault of its own. The connection goes
	// elsewhere, and the session stays.
	detour bool
	// spare is a target that accepted, but is not the client's any more.
	spare *target.Member

	// awaited is a deactivated target that somebody else probes, and probes what it had counted before.
	awaited *target.Member
	probes  int
}

// Next returns the target to dial: the client's while it is active, or else the next one for the client. When all that
// are active have been tried, deactivated ones are the last resort: then the dial is a probe of the target, of which
// there is one at a time, and who comes second waits for the result.
func (a *attempt) Next(w relay.Waker) (relay.Dial, relay.Step) {
	safely.Reach("sticky_proxy next")
	a.judgeAwaited()
	for {
		m := a.choose()
		probe := m == nil && a.spare == nil
		if probe {
			m = a.dialer.targets.Place(a.client, a.untried)
		}
		if m == nil {
			return relay.Dial{}, relay.Nothing
		}
		if probe {
			a.probes = m.Probes()
			if !m.BeginProbe(w) {
				a.awaited = m
				return relay.Dial{}, relay.Waiting
			}
		}
		a.tried = append(a.tried, m)
		if m.Claim(m.Config.MaxConnections) {
			return relay.Dial{Target: m, Probe: probe}, relay.Dialling
		}
		if probe {
			m.EndProbe()
		}
	}
}

// dialling returns what connects to a target. It goes without the attempt, which may be over before a dial is.
func (a *attempt) dialling() func(context.Context, relay.Dial) (net.Conn, error) {
	still := &attempt{Handler: a.Handler, way: a.way, local: a.local}
	return still.dialTarget
}

// dialTarget connects to a target for the relay.
func (a *attempt) dialTarget(ctx context.Context, d relay.Dial) (net.Conn, error) {
	conn, err := a.dialer.dial(ctx, d.Target.(*target.Member))
	if err != nil {
		return nil, err
	}
	if to, ok := conn.RemoteAddr().(*net.TCPAddr); ok && mayBeOwn(to.AddrPort()) {
		a.Own(d, localPort(conn), func() bool { return localPort(conn).IsValid() })
	}
	return conn, nil
}

// judgeAwaited passes over a target whose probe by somebody else has failed.
func (a *attempt) judgeAwaited() {
	if m := a.awaited; m != nil && m.Probes() != a.probes {
		if !m.Active() {
			a.tried = append(a.tried, m)
		}
		a.awaited = nil
	}
}

// choose returns the active target for the connection, which is the client's own where it can be.
func (a *attempt) choose() *target.Member {
	if len(a.tried) == 0 {
		home, _ := a.dialer.sessions.Look(a.session)
		if m := a.dialer.targets.Member(home); m != nil && a.trusted(m) {
			return m // as nearly always
		}
	}
	if m := a.among(a.trusted); m != nil {
		return m
	}
	return a.among(a.usable)
}

// among returns a target of those allowed. The session moves with the connection, unless its target may yet answer.
func (a *attempt) among(allowed func(*target.Member) bool) *target.Member {
	if a.detour || slices.ContainsFunc(a.late, hopeful) {
		return a.dialer.targets.Place(a.client, allowed)
	}
	return a.dialer.settle(a.session, a.client, allowed)
}

// hopeful reports whether a target whose dial is late may yet answer.
func hopeful(m *target.Member) bool { return m.Active() && !m.Suspect() }

// trusted reports whether the connection may go to a target, and nothing speaks against it.
func (a *attempt) trusted(m *target.Member) bool { return !m.Suspect() && a.usable(m) }

// usable reports whether the connection may go to a target.
func (a *attempt) usable(m *target.Member) bool { return m.Active() && a.untried(m) }

// untried reports whether the connection may go to a target as a last resort.
func (a *attempt) untried(m *target.Member) bool {
	return !m.Full() && !slices.Contains(a.tried, m)
}

// Late notes that a target has not answered in good time, and reports whether to try another one beside it: for a new
// client at once, for one that has been there before only if the target lets others wait as well.
func (a *attempt) Late(d relay.Dial) bool {
	m := d.Target.(*target.Member)
	safely.Reach("sticky_proxy late")
	if !slices.Contains(a.late, m) {
		a.late = append(a.late, m)
		if a.failover && m.Late(a.client, time.Duration(a.DialTimeout)) {
			a.dialer.suspects(m)
		}
	}
	return !hopeful(m) || a.failover && !a.known
}

// Agreed reports whether a target that accepts is the one for the client. If its session has moved meanwhile, its
// connections meet at the new target.
func (a *attempt) Agreed(d relay.Dial) bool {
	safely.Reach("sticky_proxy agreed")
	m := d.Target.(*target.Member)
	if d.Probe || a.detour || m.Active() && a.dialer.sessions.Reach(a.session, m.Target) {
		return true
	}
	a.spare = m
	return false
}

// Connected takes the connection to a target. A probe that succeeds makes the target active and the client's.
func (a *attempt) Connected(d relay.Dial) (l relay.Line) {
	m := d.Target.(*target.Member)
	defer releaseUnless(&l, m)
	if d.Probe {
		defer m.EndProbe()
	}
	safely.Reach("sticky_proxy connected")
	m.Accepted()
	if d.Probe {
		a.dialer.accepts(m)
		if !a.detour {
			a.dialer.move(a.session, m)
			a.dialer.sessions.Reach(a.session, m.Target)
		}
	}
	return a.line(m)
}

// releaseUnless takes back a claim on a target if there is no line that will.
func releaseUnless(made *relay.Line, m *target.Member) {
	if *made == nil {
		m.Release()
	}
}

// Settle takes the spare connection, and the session with it unless others of the client have an active target.
func (a *attempt) Settle(d relay.Dial) (l relay.Line) {
	m := d.Target.(*target.Member)
	defer releaseUnless(&l, m)
	safely.Reach("sticky_proxy settle")
	m.Accepted()
	a.dialer.sessions.Settle(a.session,
		func(t *target.Target) bool { return a.dialer.targets.Member(t) != nil && t.Active() },
		func() *target.Target { return m.Target })
	return a.line(m)
}

// Failed deactivates the target of a failed dial, unless the error says nothing against it. Where this machine has run
// out of something, another target would fail alike.
func (a *attempt) Failed(d relay.Dial, err error) error {
	m := d.Target.(*target.Member)
	defer a.Dropped(d)
	safely.Reach("sticky_proxy failed")
	exhausted := isExhausted(err)
	switch {
	case exhausted:
	case isBlameless(err):
		a.detour = true
		a.dialer.notBlamed(m, err)
	default:
		a.dialer.fails(m, err)
	}
	if exhausted {
		return fmt.Errorf("dialling %s: %w", m.Config.Address, err)
	}
	return nil
}

// Dropped takes back what Next claimed.
func (a *attempt) Dropped(d relay.Dial) {
	m := d.Target.(*target.Member)
	if a.spare == m {
		a.spare = nil
	}
	m.Release()
	if d.Probe {
		m.EndProbe()
	}
}

// Lost ends a connection that has no target.
func (a *attempt) Lost(err error) {
	defer a.free()
	if a.over != nil {
		defer a.over()
	}
	defer a.dialer.leave()
	defer a.dialer.sessions.Release(a.session)
	safely.Reach("sticky_proxy lost")
	switch {
	case err == nil:
		a.dialer.refused(a.remote, errNoTarget)
	case !errors.Is(err, relay.ErrClientLeft):
		a.dialer.refused(a.remote, err)
	}
}

// line returns the connection to a target, which is the end of the search.
func (a *attempt) line(m *target.Member) relay.Line {
	defer a.free()
	return &line{a.Handler, a.session, m, a.header, a.over}
}

// attempts keeps the memory of searches, most of which are over within microseconds.
var attempts = sync.Pool{New: func() any { return new(attempt) }}

func (a *attempt) free() {
	*a = attempt{}
	attempts.Put(a)
}

var _ relay.Route = (*attempt)(nil)
