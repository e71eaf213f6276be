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
	// packets are the holds of datagram connections. When its server stops, layer4 may leave the handler of such a
	// connection waiting for ever.
	packets map[*hold]struct{}
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

// Provision sets up the log.
func (s *SessionHandler) Provision(ctx caddy.Context) error {
	s.refusals = loglimit.NewLogger(ctx.Slogger(), 0, 0)
	return nil
}

// Handle holds the sessions that the handlers after it use, for as long as they handle the connection.
func (s *SessionHandler) Handle(cx *layer4.Connection, next layer4.Handler) error {
	defer safely.Recover("sticky_session")
	if err := connchain.HeaderError(cx.Conn); err != nil {
		s.refusals.Log(slog.LevelError, "closing a connection", "remote", cx.RemoteAddr(), "error", err)
		return nil
	}
	h := new(hold)
	cx.Context = context.WithValue(cx.Context, holdKey{}, h)
	defer h.release()
	if isPacket(cx.Conn) {
		s.remember(h)
		defer s.forget(h)
	}
	return next.Handle(cx)
}

func (s *SessionHandler) remember(h *hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.packets == nil {
		s.packets = make(map[*hold]struct{})
	}
	s.packets[h] = struct{}{}
	h.over = s.stopped
}

func (s *SessionHandler) forget(h *hold) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.packets, h)
}

// Cleanup ends the sessions of datagram connections, which can receive nothing any more.
func (s *SessionHandler) Cleanup() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	for h := range s.packets {
		h.release()
	}
	return nil
}

// UnmarshalCaddyfile sets up the SessionHandler from Caddyfile tokens. Syntax:
//
//	sticky_session
func (s *SessionHandler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the handler's name
	if d.NextArg() {
		return d.Errf("sticky_session: unexpected argument '%s'; it has no options", d.Val())
	}
	return parse.Options{}.ReadBlock(d, "sticky_session")
}

type holdKey struct{}

// A hold keeps sessions in use until a connection ends.
type hold struct {
	mu    sync.Mutex
	over  bool
	inUse []heldSession
}

type heldSession struct {
	*poolConfig
	session *clientSession
}

// holdFrom returns the connection's hold, or nil if no sticky_session is in front.
func holdFrom(cx *layer4.Connection) *hold {
	h, _ := cx.Context.Value(holdKey{}).(*hold)
	return h
}

// add takes over an acquired session, once for each pool, and reports whether it did. A nil hold takes
// nothing, nor does one whose connection has ended.
func (h *hold) add(c *poolConfig, session *clientSession) bool {
	if h == nil {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return false
	}
	for _, held := range h.inUse {
		if held.poolConfig == c {
			return false
		}
	}
	c.enter()
	h.inUse = append(h.inUse, heldSession{c, session})
	return true
}

// release gives the sessions back; it may be called again.
func (h *hold) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.over = true
	for _, held := range h.inUse {
		held.sessions.Release(held.session)
		held.leave()
	}
	h.inUse = nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*SessionHandler)(nil)
	_ caddy.CleanerUpper    = (*SessionHandler)(nil)
	_ caddyfile.Unmarshaler = (*SessionHandler)(nil)
	_ layer4.NextHandler    = (*SessionHandler)(nil)
)
