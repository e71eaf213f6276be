package l4sticky

import (
	"context"
	"log/slog"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/mholt/caddy-l4/layer4"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

func init() {
	caddy.RegisterModule(new(SessionHandler))
}

// SessionHandler goes in front of caddy-l4's own `proxy` handler, in the same route, so that the policy
// `sticky_ip` knows when a connection ends. Then a session lives while its client has connections, and
// for exactly `session_expiry` after the last one. It has no options.
type SessionHandler struct {
	refusals *loglimit.Logger

	mu sync.Mutex
	// datagrams has the references of datagram connections. When a server stops, layer4 may leave the handler of
	// such a connection waiting for ever, so Cleanup releases them.
	datagrams map[*sessionRefs]struct{}
	// stopped means that there will be no more datagrams.
	stopped bool
}

// CaddyModule returns the Caddy module information.
func (*SessionHandler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.handlers.sticky_session",
		New: func() caddy.Module { return new(SessionHandler) },
	}
}

// UnmarshalJSON refuses options, as there are none.
func (*SessionHandler) UnmarshalJSON(data []byte) error {
	return parse.Options{}.ReadJSON(data, new(struct{}))
}

// Provision sets up the log.
func (s *SessionHandler) Provision(ctx caddy.Context) error {
	s.refusals = loglimit.NewLogger(ctx.Slogger(), 0, 0)
	return nil
}

// Handle keeps the sessions that the handlers after it use, for as long as they handle the connection.
func (s *SessionHandler) Handle(cx *layer4.Connection, next layer4.Handler) error {
	defer safely.Recover("sticky_session")
	if err := connchain.HeaderError(cx.Conn); err != nil {
		s.refusals.Log(slog.LevelError, "closing a connection", "client", cx.RemoteAddr(), "error", err)
		return nil
	}
	refs := new(sessionRefs)
	cx.Context = context.WithValue(cx.Context, sessionRefsKey{}, refs)
	defer refs.release()
	if isPacket(cx.Conn) {
		s.remember(refs)
		defer s.forget(refs)
	}
	return next.Handle(cx)
}

// remember has Cleanup release the references of a datagram connection. After Cleanup they are released from the start.
func (s *SessionHandler) remember(refs *sessionRefs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.datagrams == nil {
		s.datagrams = make(map[*sessionRefs]struct{})
	}
	s.datagrams[refs] = struct{}{}
	refs.released = s.stopped
}

func (s *SessionHandler) forget(refs *sessionRefs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.datagrams, refs)
}

// Cleanup releases the sessions of datagram connections, which can receive nothing any more.
func (s *SessionHandler) Cleanup() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for refs := range s.datagrams {
		refs.release()
	}
	return nil
}

// UnmarshalCaddyfile sets up the SessionHandler from Caddyfile tokens. Syntax:
//
//	sticky_session
func (s *SessionHandler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return parse.Options{}.ReadModule(d, "sticky_session")
}

type sessionRefsKey struct{}

// sessionRefs are the references to sessions that one connection owns, until sticky_session releases them at its end.
type sessionRefs struct {
	mu       sync.Mutex
	released bool // no reference can be added any more
	refs     []sessionRef
}

// A sessionRef is one reference to a session, and to the pool that it belongs to.
type sessionRef struct {
	*poolConfig
	session *clientSession
}

// sessionRefsOf returns the connection's references, or nil if no sticky_session is in front.
func sessionRefsOf(cx *layer4.Connection) *sessionRefs {
	refs, _ := cx.Context.Value(sessionRefsKey{}).(*sessionRefs)
	return refs
}

// add takes an acquired session over, one for each pool, and reports whether it did; if not, the caller releases the
// session. It takes nothing if the references are nil or have been released.
func (r *sessionRefs) add(c *poolConfig, session *clientSession) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.released {
		return false
	}
	for _, ref := range r.refs {
		if ref.poolConfig == c {
			return false
		}
	}
	c.enter()
	r.refs = append(r.refs, sessionRef{c, session})
	return true
}

// release gives all sessions back. Further calls do nothing.
func (r *sessionRefs) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.released = true
	for _, ref := range r.refs {
		ref.sessions.Release(ref.session)
		ref.leave()
	}
	r.refs = nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*SessionHandler)(nil)
	_ caddy.CleanerUpper    = (*SessionHandler)(nil)
	_ caddyfile.Unmarshaler = (*SessionHandler)(nil)
	_ layer4.NextHandler    = (*SessionHandler)(nil)
)
