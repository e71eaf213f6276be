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
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

var errNoTarget = errors.New("no upstream accepts the connection")

// A picker chooses the targets for one connection until one accepts. Connections of one client that search at the same
// time end up at the same target.
type picker struct {
	holding
	client netip.Addr
	remote net.Addr
	local  net.Addr // that the client has connected to
	way    []stop   // on which it has come within this process before
	header []byte   // the PROXY header
	access *access  // what the access log will tell, or nil

	tried []*target.Member  // dialled, or passed over
	late  []*target.Member  // those whose dials are late
	room  [2]*target.Member // the memory of tried, which seldom takes more
	// lookup tells whether the client has been at its target before. Then one lost packet does not move it away from there.
	lookup sessionLookup
	// detour means that the client's target failed this connection by no fault of its own. The connection goes
	// elsewhere, and the session stays.
	detour bool
	// wanted is the target that the connection wanted first, and why is why it can't go there, if that is known.
	wanted *target.Target
	why    target.Cause
	// refreshed means that the names of the upstreams were looked up anew for this connection, which found no target.
	refreshed bool
	// left is the client's target, which is full, while others of the client have connections there.
	left *target.Member
	// limit is what ends the connection without a target: the name of an option, or upstreamsFull.
	limit string
	// ended is the target that has ended the connection before it was used, so that another one is looked for. If there is
	// none, the connection comes back to it. Uncounted means that this does not count against it yet.
	ended     *target.Member
	uncounted bool
	// exhausted means that this machine has run out of something, so that the connection comes back to that target.
	exhausted bool
	// turn is not nil while the connection waits for a target that is full.
	turn *turn
	// spare is a target that accepted, but is not the client's any more.
	spare     *target.Member
	spareTook time.Duration // how long its dial took

	// awaited is a deactivated target that another connection probes, and probes what it had counted before.
	awaited *target.Member
	probes  int
}

// Next returns the target to dial: the client's while it is active, or else the next one for the client. When all that
// are active have been tried, deactivated ones are the last resort: then the dial is a probe of the target, of which
// there is one at a time, and a second connection waits for the result.
func (p *picker) Next(w search.Waker) (search.Dial, search.Step) {
	safely.Reach("sticky_proxy next")
	now := monotonic()
	if p.began == 0 {
		p.began = now
	}
	if p.lookup.mustWait(p.dialer.pool, p.session, w) {
		return search.Dial{}, search.AwaitWake
	}
	p.judgeAwaited()
	if p.uncounted {
		p.countEnd()
	}
	if p.exhausted {
		return search.Dial{}, search.NoTarget
	}
	if p.waiting() {
		if d, step, decided := p.judgeTurn(now); decided {
			return d, step
		}
	}
	p.comeHome()
	for {
		if step, stays := p.stays(w); stays {
			return search.Dial{}, step
		}
		m := p.choose()
		probe := m == nil && p.spare == nil
		if probe {
			if step, waits := p.waits(w); waits {
				return search.Dial{}, step
			}
			m = p.dialer.targets.Place(p.client, p.untried)
		}
		if m == nil {
			return search.Dial{}, p.nothingLeft(w)
		}
		if probe {
			p.probes = m.Probes()
			if !m.BeginProbe(w) {
				p.awaited = m
				return search.Dial{}, search.AwaitWake
			}
		}
		p.wants(m.Target)
		if m.Claim(m.MaxConnections()) {
			p.tried = append(p.tried, m)
			p.access.dialled()
			return search.Dial{Target: m, Probe: probe, Began: now}, search.DialTarget
		}
		p.fails(m.Target, target.Full)
		if probe {
			m.EndProbe()
		}
		// Another connection has got the last room just now.
	}
}

// dialFunc returns what connects to a target. It goes without the picker, which may be done before a dial is.
func (p *picker) dialFunc() connect.DialFunc {
	still := &picker{holding: holding{Handler: p.Handler}, way: p.way, local: p.local}
	return still.dialTarget
}

// dialTarget connects to a target for the relay.
func (p *picker) dialTarget(ctx context.Context, d search.Dial) (net.Conn, error) {
	conn, err := p.dialer.dial(ctx, d.Target.(*target.Member))
	if err != nil {
		return nil, err
	}
	if to, ok := conn.RemoteAddr().(*net.TCPAddr); ok && mayBeOwn(to.AddrPort()) {
		p.Own(d, localPort(conn), func() bool { return localPort(conn).IsValid() })
	}
	return conn, nil
}

// judgeAwaited passes over a target whose probe by another connection has failed.
func (p *picker) judgeAwaited() {
	if m := p.awaited; m != nil && m.Probes() != p.probes {
		if m.Deactivated() {
			p.tried = append(p.tried, m)
		}
		p.awaited = nil
	}
}

// Late notes that a target has not answered in good time, and reports whether to try another one beside it: for a new
// client at once, for one that has been there before only if the target lets others wait as well.
func (p *picker) Late(d search.Dial) bool {
	m := d.Target.(*target.Member)
	safely.Reach("sticky_proxy late")
	if !slices.Contains(p.late, m) {
		p.late = append(p.late, m)
		if p.failover && m.Late(p.client, time.Duration(p.DialTimeout)) {
			p.dialer.suspects(m)
		}
	}
	if hopeful(m) && (!p.failover || p.lookup.known) {
		return false
	}
	p.fails(m.Target, target.Late)
	return true
}

// Wants reports whether a target that accepts is the one for the client. If its session has moved meanwhile, its
// connections meet at the new target.
func (p *picker) Wants(d search.Dial) bool {
	safely.Reach("sticky_proxy agreed")
	m := d.Target.(*target.Member)
	if p.detour {
		return true
	}
	if d.Probe {
		p.dialer.accepts(m)
		p.adopt(m)
	}
	if (d.Probe || !m.Deactivated()) && p.dialer.sessions.Reach(p.session, m.Target) {
		return true
	}
	p.fails(m.Target, target.Disagreement)
	p.spare, p.spareTook = m, monotonic()-d.Began
	return false
}

// adopt moves the session to a target that accepts, unless others of the client have an active one.
func (p *picker) adopt(m *target.Member) {
	p.dialer.sessions.Settle(p.session,
		func(t *target.Target) bool { return t == m.Target || p.dialer.targets.Member(t) != nil && t.Active() },
		func() *target.Target { return m.Target })
}

// Connected takes the connection to a target. A probe that succeeds makes the target active.
func (p *picker) Connected(d search.Dial) (e flow.Established) {
	m := d.Target.(*target.Member)
	defer releaseUnless(&e, m)
	if d.Probe {
		defer m.EndProbe()
	}
	safely.Reach("sticky_proxy connected")
	p.dialer.counts.dialled(m, monotonic()-d.Began)
	p.dialer.answers(m)
	p.access.reached(d)
	if d.Probe || !m.Deactivated() { // a dial that was under way says nothing about a deactivation on request
		p.dialer.accepts(m)
	}
	return p.establish(m)
}

// TakeSpare takes the spare connection, and the session with it unless others of the client have an active target. It leaves
// the session alone if that is the connection which the client had before.
func (p *picker) TakeSpare(d search.Dial) (e flow.Established) {
	m := d.Target.(*target.Member)
	defer releaseUnless(&e, m)
	if d.Probe {
		defer m.EndProbe()
	}
	safely.Reach("sticky_proxy settle")
	if m == p.ended {
		p.header, p.detour = nil, false // it has got the header
		return p.establish(m)
	}
	p.dialer.counts.dialled(m, p.spareTook)
	p.dialer.answers(m)
	p.access.reached(d)
	p.adopt(m)
	return p.establish(m)
}

// Failed deactivates the target of a failed dial, unless the error says nothing against it. Where this machine has run
// out of something, another target would fail alike.
func (p *picker) Failed(d search.Dial, err error) error {
	m := d.Target.(*target.Member)
	defer p.Dropped(d)
	safely.Reach("sticky_proxy failed")
	result := resultOf(err)
	m.Dials.Failed(result, err, monotonic())
	p.fails(m.Target, target.Cause(result))
	exhausted := isExhausted(err)
	switch {
	case exhausted:
	case isBlameless(err):
		p.detour = true
		p.dialer.notBlamed(m, err)
		if wasAccepted(err) {
			p.unserved(m)
		}
	default:
		p.dialer.deactivate(m, err)
	}
	if p.exhausted = exhausted; exhausted && p.ended == nil {
		return fmt.Errorf("dialling %s: %w", m.Config.Address, err)
	}
	return nil
}

// Dropped takes back what Next claimed.
func (p *picker) Dropped(d search.Dial) {
	m := d.Target.(*target.Member)
	if p.spare == m {
		p.spare = nil
	}
	m.Release()
	if d.Probe {
		m.EndProbe()
	}
}

// Lost ends a connection that has no target.
func (p *picker) Lost(err error) {
	defer p.free()
	defer p.close()
	safely.Reach("sticky_proxy lost")
	switch {
	case err == nil && p.limit != "":
		p.refuseFull()
	case err == nil:
		p.dialer.refused(p.remote, errNoTarget)
		p.access.turnedAway("no_upstream", errNoTarget)
	case errors.Is(err, search.ErrClientLeft):
		p.dialer.counts.over(connClientLeft)
		p.access.turnedAway("left", err)
	default:
		p.dialer.refused(p.remote, err)
		p.access.turnedAway("failed", err)
	}
}

// pickers keeps the memory of searches, most of which are over within microseconds.
var pickers = sync.Pool{New: func() any { return new(picker) }}

func (p *picker) free() {
	if p.turn != nil {
		p.endTurn()
	}
	*p = picker{}
	pickers.Put(p)
}

var _ search.Picker = (*picker)(nil)
