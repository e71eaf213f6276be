package l4sticky

import (
	"errors"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/decisions"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// Why a connection is at its target: its client is new, or has its session there, or has left the target of its session.
const (
	choseNew     = "new"
	choseSession = "session"
	choseOther   = "moved"
)

// An access is what is known of a connection for its line of the access log. All methods but seeks may be called for nil, which is what
// the connections of a handler without access log have. It belongs to whatever has the connection, but for because.
type access struct {
	handler  *Handler
	client   net.Addr
	local    net.Addr
	decision time.Duration // of the middlewares

	began    time.Duration
	seeking  time.Duration // since when a target is looked for
	dialTime time.Duration // until one has accepted
	dials    int
	at       netip.AddrPort // the address of the target, if it is known
	home     *target.Target // where the client's session was when the connection came, or nil
	choice   string
	why      string // the choice is another one than the session's

	because atomic.Pointer[error] // why it was ended, if that was no matter of its own
}

// newAccess returns what the access log is to tell of a connection, or nil if there is none.
func (h *Handler) newAccess(cx *layer4.Connection) *access {
	if !h.AccessLog {
		return nil
	}
	now := monotonic()
	variables, _ := cx.Context.Value(layer4.VarsCtxKey).(map[string]any)
	return &access{handler: h, client: cx.RemoteAddr(), local: cx.LocalAddr(), began: now, seeking: now, decision: decisions.Time(variables)}
}

// came notes where the client's session is.
func (a *access) came(s *clientSession) {
	if a != nil {
		a.home, _ = a.handler.dialer.sessions.Look(s)
	}
}

// seeks notes that another target is looked for.
func (a *access) seeks() { a.seeking = monotonic() }

// dialled counts a dial.
func (a *access) dialled() {
	if a != nil {
		a.dials++
	}
}

// reached notes at which address a target has accepted.
func (a *access) reached(d search.Dial) {
	if a != nil {
		a.at = netip.AddrPortFrom(d.At.Addr().Unmap(), d.At.Port())
	}
}

// reason returns where the reason is noted if the connection is ended, or nil.
func (a *access) reason() *atomic.Pointer[error] {
	if a == nil {
		return nil
	}
	return &a.because
}

// abort returns what a middleware calls to end the connection, with the reason noted.
func (a *access) abort(abort func()) func() {
	if a == nil {
		return abort
	}
	return func() {
		a.because.CompareAndSwap(nil, &errByMiddleware)
		abort()
	}
}

// errByMiddleware is why connections end that a middleware ends.
var errByMiddleware = errors.New("a middleware has ended the connection")

// chose notes why the connection is at its target.
func (a *access) chose(p *picker, m *target.Member) {
	a.dialTime += monotonic() - a.seeking
	switch home := a.home; {
	case p.ended == m: // the target that it had before
	case p.ended != nil:
		a.choice, a.why = choseOther, "the upstream ended the connection before it was used"
	case home == nil:
		a.choice = choseNew
	case home == m.Target:
		a.choice = choseSession
	case p.detour:
		a.choice, a.why = choseOther, "a dial failed, which is not held against the upstream"
	case p.left != nil:
		a.choice, a.why = choseOther, "the upstream is full"
	default:
		a.choice = choseOther
		a.why = p.dialer.whyMoved(session.Event[*target.Target]{Client: p.client, Previous: home, Target: m.Target})
	}
}

// A logged is an established connection of which the access log will tell.
type logged struct {
	established
	access *access
}

// record makes an established connection of the picker one of which the access log will tell.
func (p *picker) record(m *target.Member) (*logged, *established) {
	p.access.chose(p, m)
	e := &logged{access: p.access}
	if len(p.header) > 0 || len(p.tried) > 1 {
		before := p.past()
		e.past = &before
	}
	return e, &e.established
}

// Redispatch has another target looked for, for the same line of the log.
func (e *logged) Redispatch(local, remote net.Addr) relay.Redispatch {
	to := e.established.Redispatch(local, remote)
	p := to.Picker.(*picker)
	p.access = e.access
	e.access.seeks()
	stand := &logged{access: e.access}
	stand.holding = p.holding
	to.Owner = stand
	return to
}

// Done writes the line before the connection gives back what it held.
func (e *logged) Done(r flow.Result) {
	defer e.established.Done(r)
	e.because.Store(e.access.because.Load())
	address := e.upstream.Config.Address.String()
	if e.access.at.IsValid() {
		address = e.access.at.String()
	}
	by, end, why := e.access.endOf(r)
	e.access.write(by, end, why,
		zap.Stringer("upstream", upstreamOf(e.upstream)),
		zap.String("address", address),
		zap.String("choice", e.access.choice),
		textField("choice_reason", e.access.why),
		zap.Int64("bytes_up", max(0, r.ToTarget-int64(len(e.header())))),
		zap.Int64("bytes_down", r.ToClient))
}

// turnedAway writes the line of a connection that comes to its end without a target.
func (a *access) turnedAway(end string, why error) {
	if a == nil {
		return
	}
	a.dialTime += monotonic() - a.seeking
	by := byProxy
	switch because := a.because.Load(); {
	case because != nil:
		end, why = wordOf(*because), *because
	case errors.Is(why, search.ErrClientLeft):
		by, end = byClient, "left"
	case errors.Is(why, safely.ErrPanic):
		end = "panic"
	}
	a.write(by, end, why)
}

// write writes the line.
func (a *access) write(by, end string, why error, fields ...zap.Field) {
	decision := zap.Skip()
	if a.decision > 0 {
		decision = zap.Duration("decision_time", a.decision)
	}
	fields = append([]zap.Field{zap.Stringer("client", a.client), zap.Stringer("local", a.local), zap.String("pool", a.handler.dialer.name)}, fields...)
	a.handler.accessLogger().Info("connection", append(fields,
		decision,
		zap.Int("dials", a.dials),
		zap.Duration("dial_time", a.dialTime),
		zap.Duration("duration", monotonic()-a.began),
		zap.String("ended_by", by),
		zap.String("end", end),
		reasonOf(why))...)
}

func textField(name, text string) zap.Field {
	if text == "" {
		return zap.Skip()
	}
	return zap.String(name, text)
}

// accessName is the name of the logger.
const accessName = "layer4.handlers.sticky_proxy.access"

// accessModule stands for a module with the name of the logger, by which Caddy chooses the logs that get its lines.
type accessModule struct{}

func (accessModule) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: accessName, New: func() caddy.Module { return accessModule{} }}
}

// accessLogger returns the logger for a line: that of the handler's config, or of the one that runs now if that has ended. When
// none runs any more, since Caddy exits, it is that of the last one.
func (h *Handler) accessLogger() *zap.Logger {
	if h.dialer.run.ended() {
		if now := caddy.ActiveContext(); configOf(now) != 0 {
			return now.Logger(accessModule{})
		}
	}
	return h.access
}

var _ relay.Redispatcher = (*logged)(nil)
