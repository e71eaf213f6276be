package l4sticky

import (
	"errors"
	"net"
	"slices"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// An established is a connection that has its target.
type established struct {
	holding
	past    *past                 // or nil
	because atomic.Pointer[error] // why it was ended by the pool, if it was
}

// A past is what has happened to a connection that matters if its target ends it before it is used. Most have none.
type past struct {
	header []byte           // the PROXY header, which each target gets
	tried  []*target.Member // those that were dialled or passed over, if it is more than its own
}

// newEstablished returns an established connection that has nothing but its past, and the same in the form in which the relay is to
// have it. Both parts take one piece of memory.
func (p *picker) newEstablished(m *target.Member) (flow.Established, *established) {
	if p.access != nil {
		return p.record(m)
	}
	if len(p.header) == 0 && len(p.tried) < 2 {
		e := new(established)
		return e, e
	}
	e := new(struct {
		established
		past
	})
	e.past = p.past()
	e.established.past = &e.past
	return &e.established, &e.established
}

func (p *picker) past() (before past) {
	if before.header = p.header; len(p.tried) > 1 {
		before.tried = slices.Clone(p.tried)
	}
	return before
}

// establish returns the connection to a target, which is the end of the search. The claim on the target goes with it.
func (p *picker) establish(m *target.Member) flow.Established {
	defer p.free()
	made, e := p.newEstablished(m)
	e.holding = p.holding
	e.upstream = m
	p.countFailover(m)
	switch {
	case p.ended != nil && p.ended != m:
		p.dialer.redispatches(p.session, p.ended, m)
	case p.detour:
		if home, _ := p.dialer.sessions.Look(p.session); home != nil && home != m.Target {
			p.dialer.splits(p.session, m, home.Address, "a dial failed")
		}
	case p.left != nil && !p.left.Is(m):
		p.dialer.splits(p.session, m, p.left.Config.Address, "its upstream is full")
	}
	return made
}

// releaseUnless takes back the claim on a target if there is no established connection that will.
func releaseUnless(made *flow.Established, m *target.Member) {
	if *made == nil {
		m.Release()
	}
}

// Counters returns what counts the bytes of the target, PROXY headers included.
func (e *established) Counters() *flow.Counters { return &e.upstream.Bytes }

// TargetFailed makes sure of a target whose connection broke.
func (e *established) TargetFailed() { e.dialer.verify(e.upstream) }

// Redispatch has another target looked for, since the connection's own has ended it before it was used.
func (e *established) Redispatch(local, remote net.Addr) relay.Redispatch {
	safely.Reach("sticky_proxy redispatch")
	p := pickers.Get().(*picker)
	p.holding, p.client, p.local, p.remote = e.holding, e.session.Client(), local, remote
	p.way, p.header = wayFrom(remote), e.header()
	p.tried = append(p.room[:0], e.upstream)
	if e.past != nil {
		p.tried = append(p.tried, e.past.tried...)
	}
	p.upstream, p.ended, p.uncounted = nil, e.upstream, true
	p.wanted, p.why = e.upstream.Target, target.Mute
	p.lookup.done, p.refreshed = true, true // a target that has accepted is no reason to wait
	return relay.Redispatch{
		Picker: p, Owner: &established{holding: p.holding}, Had: search.Dial{Target: e.upstream}, Header: p.header,
		Options: &e.times.Options, Dial: p.dialFunc(),
	}
}

// countEnd counts the end of a connection against its target, as that of one which is not taken to another target, if it is the
// connection's first: else one silent client that all targets end would count against each. The session stays there, unless the target is
// deactivated.
func (p *picker) countEnd() {
	p.uncounted = false
	if len(p.tried) == 1 {
		p.unserved(p.ended)
	}
	p.detour = !p.ended.Deactivated()
}

// header returns the PROXY header, or nothing if there is none.
func (e *established) header() []byte {
	if e.past == nil {
		return nil
	}
	return e.past.header
}

// Done gives back what the connection held.
func (e *established) Done(r flow.Result) {
	defer e.close()
	safely.Reach("sticky_proxy end")
	e.dialer.counts.over(connResultOf(r, e.because.Load() != nil))
	e.dialer.counts.duration.observe(monotonic() - e.began)
	if r.ToClient > 0 && !e.upstream.Deactivated() {
		e.dialer.accepts(e.upstream) // it serves, if that was in doubt
	}
	if r.Unserved && (e.past == nil || e.past.tried == nil) {
		e.unserved(e.upstream)
	}
	if entry := e.dialer.logger.Check(zap.DebugLevel, "connection ended"); entry != nil {
		reason := zap.Skip()
		if because := e.because.Load(); because != nil {
			reason = reasonOf(*because)
		} else if r.End == flow.AgeEnd {
			reason = reasonOf(errTooOld)
		}
		entry.Write(append(upstreamFields(e.upstream),
			zap.Stringer("client", e.session.Client()),
			zap.Int64("bytes_up", max(0, r.ToTarget-int64(len(e.header())))),
			zap.Int64("bytes_down", r.ToClient),
			zap.NamedError("client_error", r.ClientErr),
			zap.NamedError("upstream_error", r.TargetErr),
			reason)...)
	}
}

// errTooOld is why a connection is ended that has lasted for its max_connection_age.
var errTooOld = errors.New("the connection has reached its max_connection_age")

// unserved notes that a target has ended the connection, or has reset it as soon as it had accepted, without a byte.
func (held *holding) unserved(m *target.Member) {
	if client := held.session.Client(); held.UnservedLimit > 0 && client.IsValid() && m.Unserved(client, held.UnservedLimit) {
		held.dialer.deactivate(m, errUnserved)
	}
}

// errUnserved is why a target is deactivated that accepts connections and serves nobody.
var errUnserved = errors.New("it accepts connections and ends them without having sent a byte")

var _ relay.Redispatcher = (*established)(nil)
