package middleware

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/mholt/caddy-l4/layer4"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/decisions"
	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

func init() {
	caddy.RegisterModule(new(Matcher))
}

const (
	namespace      = "layer4.middleware"
	inlineKey      = "middleware"
	defaultTimeout = 10 * time.Second
)

// Matcher matches the connections that a chain of middlewares lets in. A connection that it doesn't match is
// left to the routes that follow, and closed if there is none for it.
//
// It decides once for each connection, however often layer4 asks and however many matchers have the same
// chain, so `not` may be used beside it. It decides before the client has sent anything and never waits for that. Only if
// a route before wanted to see what the client sends, and that is the first part of a TLS ClientHello, it leaves
// the connection to that route until the ClientHello is complete.
type Matcher struct {
	// The middlewares, in the order in which they are asked. The first one that keeps the client out
	// ends the chain. At least one.
	ChainRaw []json.RawMessage `json:"chain,omitempty" caddy:"namespace=layer4.middleware inline_key=middleware"`

	// How long the chain may take for its decision. After that the client is kept out. Zero means the
	// default; negative is an error. Default: `10s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// Whether a client that is kept out gets a reset (RST) instead of an orderly end (FIN). Default: false.
	Reset bool `json:"reset,omitempty"`

	chain    []link
	punctual bool   // all of the chain are
	key      string // of the variable that remembers the decision
	logger   *slog.Logger
	refusals *loglimit.Logger
}

// A link is one middleware of a chain.
type link struct {
	Middleware
	name string
}

// CaddyModule returns the Caddy module information.
func (*Matcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.matchers.middleware",
		New: func() caddy.Module { return new(Matcher) },
	}
}

// table returns the matcher's options.
func (m *Matcher) table() parse.Options {
	return parse.Options{
		parse.Duration("timeout", &m.Timeout, defaultTimeout),
		parse.Flag("reset", &m.Reset),
	}
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (m *Matcher) UnmarshalJSON(data []byte) error {
	type plain Matcher
	return m.table().ReadJSON(data, (*plain)(m))
}

// Provision checks the options and loads the chain.
func (m *Matcher) Provision(ctx caddy.Context) error {
	if err := m.table().SetDefaults(); err != nil {
		return err
	}
	if len(m.ChainRaw) == 0 {
		return errors.New("chain: no middleware is given; at least one is needed")
	}
	m.key = "middleware" // with what is the same for chains that mean the same
	for i, raw := range m.ChainRaw {
		if err := parse.CheckGuest(raw, inlineKey); err != nil {
			return fmt.Errorf("chain: position %d: %w", i, err)
		}
		m.key += " " + parse.Canonical(raw)
	}
	modules, err := ctx.LoadModule(m, "ChainRaw")
	if err != nil {
		return fmt.Errorf("chain: %w", err)
	}
	m.punctual = true
	for _, module := range modules.([]any) {
		middleware, ok := module.(Middleware)
		if !ok {
			return fmt.Errorf("chain: %T is no middleware", module)
		}
		m.chain = append(m.chain, link{middleware, module.(caddy.Module).CaddyModule().ID.Name()})
		if _, is := middleware.(Punctual); !is {
			m.punctual = false
		}
		blocked.WithLabelValues(m.chain[len(m.chain)-1].name) // is there from the start
	}
	m.logger = ctx.Slogger()
	m.refusals = loglimit.NewLogger(m.logger, 0, 0)
	return registerMetrics(ctx.GetMetricsRegistry(), blocked)
}

// Match reports whether the chain lets the connection in.
func (m *Matcher) Match(cx *layer4.Connection) (matched bool, err error) {
	defer safely.Recover("middleware")
	remote := cx.RemoteAddr()
	if err := connchain.HeaderError(cx.Conn); err != nil {
		m.refusals.Log(slog.LevelError, "closing a connection", "client", remote, "error", err)
		// Any answer would lead to some route, and an error to a line in the log that strangers could repeat at will. So
		// this ends layer4's goroutine for the connection, which closes it.
		runtime.Goexit()
	}
	if awaitsHello(cx.MatchingBytes()) {
		return false, layer4.ErrConsumedAllPrefetchedBytes
	}
	if made, ok := cx.GetVar(m.key).(*decision); ok && made.isAbout(remote) {
		return made.allowed, nil
	}
	safely.Reach("middleware")
	began := time.Now()
	v := m.decide(cx, remote)
	cx.SetVar(m.key, &decision{remote: remote, allowed: v.allowed, took: time.Since(began)})
	if !v.allowed {
		m.block(cx, remote, v)
	}
	return v.allowed, nil
}

// A decision is remembered for a connection. The client may become another one, when a PROXY header names it.
type decision struct {
	remote  net.Addr
	took    time.Duration
	allowed bool
}

// DecisionTime returns how long the decision took.
func (d *decision) DecisionTime() time.Duration { return d.took }

func (d *decision) isAbout(remote net.Addr) bool {
	return d.remote == remote || d.remote.String() == remote.String()
}

// block logs and counts a client that is kept out, and sees to it that its connection ends in order.
func (m *Matcher) block(cx *layer4.Connection, remote net.Addr, v verdict) {
	// It must not end the connection itself, since a route for blocked clients may still answer it. But it can't leave that
	// to layer4 either, whose closing would be a reset if the client has sent something.
	connchain.DismissWhenClosed(cx, m.Reset)
	if errors.Is(v.cause, errLeft) {
		m.logger.Debug("the client left before the decision", "client", remote, "middleware", v.middleware)
		return
	}
	blocked.WithLabelValues(v.middleware).Inc()
	level, fields := slog.LevelInfo, []any{slog.Any("client", remote), slog.String("middleware", v.middleware), slog.String("reason", v.reason)}
	if v.stack != "" {
		level, fields = slog.LevelError, append(fields, slog.String("stack", v.stack))
	}
	m.refusals.Log(level, "blocked a client", fields...)
}

// UnmarshalCaddyfile sets up the Matcher from Caddyfile tokens. Syntax:
//
//	middleware {
//		<middleware> ...
//		timeout <duration>
//		reset
//	}
func (m *Matcher) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	options := m.table()
	taken := options.Names()
	for _, module := range caddy.GetModules(namespace) {
		name := module.ID.Name()
		if slices.Contains(taken, name) {
			return d.Errf("middleware: the module %s has the name of an option", module.ID)
		}
		options = append(options, parse.Blocks(name, func(d *caddyfile.Dispenser) error { return m.add(d, name) }))
	}
	return options.ReadModule(d, "middleware")
}

// add reads the middleware that the dispenser stands at.
func (m *Matcher) add(d *caddyfile.Dispenser, name string) error {
	module, err := caddyfile.UnmarshalModule(d, namespace+"."+name)
	if err != nil {
		return err
	}
	m.ChainRaw = append(m.ChainRaw, caddyconfig.JSONModuleObject(module, inlineKey, name, nil))
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Matcher)(nil)
	_ caddyfile.Unmarshaler = (*Matcher)(nil)
	_ layer4.ConnMatcher    = (*Matcher)(nil)
	_ decisions.Decision    = (*decision)(nil)
)
