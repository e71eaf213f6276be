package l4sticky

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler is a load balancer for TCP connections with sticky sessions: every client, known by its IP
// address, goes to one target for as long as its session lives, and leaves a failing target without
// noticing.
type Handler struct {
	Options

	// The targets. At least one, unless there are `dynamic_upstreams`. An address may be listed twice only with `placement legacy`.
	Upstreams []*Upstream `json:"upstreams,omitempty"`

	// Where further upstreams come from, which come and go while the config runs: a module of the namespace
	// `layer4.sticky.upstreams`. Not with `placement legacy`. Handlers that share a pool must have the same. In a
	// Caddyfile it is `dynamic`. Default: none.
	DynamicUpstreamsRaw json.RawMessage `json:"dynamic_upstreams,omitempty" caddy:"namespace=layer4.sticky.upstreams inline_key=source"`

	// The largest number of connections that the pool may have at a time; more are closed without a byte. Zero
	// means no limit; negative is an error. Default: no limit.
	MaxConnections int `json:"max_connections,omitempty"`

	// The largest number of connections that one client may have at a time in the pool; more are closed
	// without a byte. They are counted in sessions, so it is an error together with `placement random`,
	// and clients beyond `max_sessions` are not limited. Zero means no limit; negative is an error.
	// Default: no limit.
	MaxConnectionsPerClient int `json:"max_connections_per_client,omitempty"`

	// How long a target may take to accept a connection. After that the dial has failed, the target is
	// deactivated and the next one is dialled. For as long after it has accepted, a target that ends or resets the connection
	// before anything was taken from the client or has come from the target is left for another one, unless `unserved_limit`
	// is off. Zero means the default; negative is an error. Default: `3s`.
	DialTimeout caddy.Duration `json:"dial_timeout,omitempty"`

	// How long a target may leave a dial unanswered until another one is dialled beside it. The first to accept
	// wins. A client whose session has been at its target is not moved by one lost packet: for it another
	// one is dialled only if the target leaves several clients waiting, or is deactivated. Such a target
	// is probed, and gets no new clients meanwhile. Zero means the default; negative, in a Caddyfile `off`,
	// means that a target has its dial_timeout. Default: `300ms`.
	FailoverDelay caddy.Duration `json:"failover_delay,omitempty"`

	// How long a connection may go without a byte in either direction until it is reset at both ends. Bytes that
	// a slow peer takes from what was sent to it before count, on Linux. Zero means that it may be silent for
	// ever; negative is an error. Default: 0, in a Caddyfile `off`.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`

	// The same for a connection of which one side has ended its direction, if that is shorter. Zero means
	// that only `idle_timeout` counts; negative is an error. Default: 0, in a Caddyfile `off`.
	HalfCloseTimeout caddy.Duration `json:"half_close_timeout,omitempty"`

	// How old a connection may become, give or take a tenth, until it is reset at both ends, whatever goes on in it. So clients that stay for long
	// come anew in time, but not all at once, and spread over what serves them then. Their sessions stay: a client comes back to its target,
	// unless it is to be placed anew (`return_home`, or a rebalance). Zero means that it may become as old as it likes;
	// negative is an error. Default: 0, in a Caddyfile `off`.
	MaxConnectionAge caddy.Duration `json:"max_connection_age,omitempty"`

	// After what silence on a connection its peer, client or target, is probed by the system (TCP keepalive), so
	// that one that has vanished without a word lets go of it. In whole seconds, from `1s` to `32767s`. Zero means
	// the default; negative, in a Caddyfile `off`, means that no peer is probed. Default: `15s`.
	KeepAlive caddy.Duration `json:"keepalive,omitempty"`

	// How long a probe may go unanswered until the next one. In whole seconds, from `1s` to `32767s`. Zero means
	// the default; negative is an error. It is for `keepalive` only. Default: `15s`.
	KeepAliveInterval caddy.Duration `json:"keepalive_interval,omitempty"`

	// How long a peer may leave sent bytes or probes unacknowledged, or take nothing of what waits for it, until
	// its connection is reset (TCP_USER_TIMEOUT). It counts on Linux only. Zero means the default; negative, in
	// a Caddyfile `off`, leaves it to the system: 9 probes without an answer, or about 15 minutes of sending the
	// same bytes again. Default: `150s`.
	UserTimeout caddy.Duration `json:"user_timeout,omitempty"`

	// A target serves nobody if it has accepted so many clients in a row whose connections it then ended or reset without having sent
	// a byte, and has sent none to any other client meanwhile: it is deactivated, as after a failed dial. A connection that
	// its client ended first does not count, nor does a client count twice. Negative, in a Caddyfile `off`, is for
	// protocols in which targets never send anything; then no connection is taken to another target because its own has ended
	// it, since that may be all that a target says. Zero means the default. Default: 3.
	UnservedLimit int `json:"unserved_limit,omitempty"`

	// What becomes of a connection whose client has its session at a target that has all its `max_connections`.
	//
	// - `move`: the session moves to another target, as when its target fails. A client with open connections at the full target
	//   has connections to two targets then.
	// - `wait`: the connection waits for its turn, first come first served, for `wait_timeout` at most. Then it is closed. A new
	//   client waits only while all targets are full, and gets the first that has room.
	// - `close`: the connection is closed.
	//
	// While all targets are full, a connection is closed unless it waits. Default: `move`.
	WhenFull string `json:"when_full,omitempty"`

	// How long a connection waits at most, with `when_full` `wait`. In a Caddyfile it may follow that word. Zero means the default; negative is an error.
	// It is for `when_full` `wait` only. Default: `10s`.
	WaitTimeout caddy.Duration `json:"wait_timeout,omitempty"`

	// How many connections of the pool may wait at a time; more are closed. Zero means the default; negative is an error. It is for
	// `when_full` `wait` only. Default: 1000.
	MaxWaiting int `json:"max_waiting,omitempty"`

	// How long the addresses are used for which an upstream's name stands, until the name is looked up again, in the background.
	// A name that has several addresses of a family becomes as many targets. Such a target gets no new connections any more when
	// no answer has had its address for `resolve_hold`. While no answer comes, the last one holds. When all targets
	// of a name have failed, it is looked up at once. Negative, in a Caddyfile `off`, means that a name is one target, and that it is
	// looked up for each dial, as it always is with `placement legacy`, for which nothing else may be given. Zero means the default. At least `1s`. Handlers that
	// share a pool must have the same. Default: `10s`.
	ResolveInterval caddy.Duration `json:"resolve_interval,omitempty"`

	// How long an address counts after the last answer that had it. Zero means the default; negative is an error.
	// Handlers that share a pool must have the same. It is for a `resolve_interval` and `dynamic_upstreams` only. Default: `60s`.
	ResolveHold caddy.Duration `json:"resolve_hold,omitempty"`

	// How targets are looked at, so that one that is dead gets no client, and one that is back is not left out for longer than need be.
	// Handlers that share a pool must have the same, and then the same `proxy_protocol`. Default: no checks.
	HealthCheck *HealthCheck `json:"health_check,omitempty"`

	// What becomes of the connections to a target that is taken out, be it that it is deactivated or that its checks fail.
	//
	// - `keep`: they go on. Those whose target has vanished end by `keepalive` and `user_timeout`.
	// - `close`: they are reset at once, at both ends, so that their clients come again to a target that serves.
	//
	// Default: `keep`.
	WhenDown string `json:"when_down,omitempty"`

	// The version of the PROXY protocol, `v1` or `v2`, whose header tells the target the client's
	// address before the client's first byte. Default: no header.
	ProxyProtocol string `json:"proxy_protocol,omitempty"`

	// How long open connections may go on when Caddy exits; new ones are refused at once. Caddy exits as soon as
	// the last connection of the pool is done. What is left then is reset, as it is when Caddy is told once more to
	// exit. The longest of the handlers of a pool counts, also for connections of a pool that no config has any more.
	// Zero means that they end with Caddy; negative is an error. Default: 0.
	GracePeriod caddy.Duration `json:"grace_period,omitempty"`

	// In which last part of the `grace_period` open connections are ended one after the other, at an even pace, so that their clients do
	// not all connect anew at the same moment. It is at most the `grace_period`; with the same, all of that is used. The connections of a client end
	// together, with a reset. Zero means that all that are left are reset at the end; negative is an error.
	// Default: 0, in a Caddyfile `off`.
	StopSpread caddy.Duration `json:"stop_spread,omitempty"`

	// Whether the `seamless/` addresses of the config may be shared with other processes that listen there, each with
	// its own sessions: the system spreads the connections over them. Else such an address is an error, on Linux,
	// with the other process's PID if it can be known. It is looked at when a socket is opened, and one handler
	// with it is enough. Default: false, in a Caddyfile `off`.
	ReusePort bool `json:"reuse_port,omitempty"`

	// Whether each connection has a line in the log when it is over, with the level INFO, by a logger of its own:
	// `layer4.handlers.sticky_proxy.access`. So logs of the config may include or exclude these lines. There are as many as there are
	// connections, also of strangers that are turned away. Default: false, in a Caddyfile `off`.
	AccessLog bool `json:"access_log,omitempty"`

	dialer    *dialer
	access    *zap.Logger // nil without access_log
	times     relay.Options
	failover  bool // whether a dial that is late has another beside it
	plain     bool // all upstreams are TCP
	ppVersion byte
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.handlers.sticky_proxy",
		New: func() caddy.Module { return new(Handler) },
	}
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (h *Handler) UnmarshalJSON(data []byte) error {
	type plain Handler
	return h.table().ReadJSON(data, (*plain)(h))
}

// Provision checks the options and joins the pool.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.setDefaults(); err != nil {
		return err
	}
	if err := refuseLoops(ctx); err != nil {
		return err
	}
	upstreams, err := h.upstreamConfigs()
	if err != nil {
		return err
	}
	h.plain = !slices.ContainsFunc(upstreams, func(u target.Config) bool { return u.Address.Network == "unix" })
	dynamic, err := h.loadDynamic(ctx)
	if err != nil {
		return err
	}
	c, err := join(ctx, h.Options, upstreams, dynamic)
	if err != nil {
		return err
	}
	c.extendStop(stopTerms{time.Duration(h.GracePeriod), time.Duration(h.StopSpread)})
	h.dialer = newDialer(c, time.Duration(h.DialTimeout), h.times.KeepAlive, ctx.Logger())
	h.dialer.header = probeHeader(h.ppVersion)
	c.noteFullTerms(fullTerms{h.WhenFull, h.WaitTimeout, h.MaxWaiting})
	if h.AccessLog {
		h.access = ctx.Logger(accessModule{})
	}
	if h.WhenDown == closeWhenDown {
		c.closesWhenDown.Store(true)
	}
	if h.ReusePort {
		reusePorts(c.config, 1)
	}
	if err := c.resolve(ctx, names.Times{Interval: time.Duration(h.ResolveInterval), Hold: time.Duration(h.ResolveHold)}); err != nil {
		return err
	}
	c.persist(ctx)
	return c.checkTargets(h)
}

// upstreamConfigs returns the upstreams as the target set knows them.
func (h *Handler) upstreamConfigs() ([]target.Config, error) {
	all := make([]target.Config, 0, len(h.Upstreams))
	for i, u := range h.Upstreams {
		if u == nil {
			return nil, fmt.Errorf("upstreams[%d]: null is not an upstream", i)
		}
		configs, err := u.configs()
		if err != nil {
			return nil, err
		}
		all = append(all, configs...)
	}
	return all, nil
}

// Cleanup leaves the pool, if Provision came as far as joining it. When Caddy exits, it first waits until the
// connections that were accepted have reached their handlers.
func (h *Handler) Cleanup() error {
	if h.dialer == nil {
		return nil
	}
	awaitSettled(time.Duration(h.GracePeriod))
	if h.ReusePort {
		reusePorts(h.dialer.config, -1)
	}
	h.dialer.quit()
	return nil
}

// UnmarshalCaddyfile sets up the Handler from Caddyfile tokens. Syntax:
//
//	sticky_proxy [<upstreams...>] {
//		upstream <address> {
//			weight <number>
//			max_connections <number>
//			backup
//			drain
//		}
//		dynamic <source> ...
//		pool <name>
//		session_expiry <duration>
//		deactivation_duration <duration>
//		placement rendezvous|legacy|random
//		client_prefix <ipv4_bits> <ipv6_bits>
//		max_sessions <number>
//		slow_start <duration>|off
//		return_home stay|when_idle
//		persist on|off
//		persist_interval <duration>
//		session_store <store> ...
//		store_timeout <duration>
//		store_required on|off
//		max_connections <number>
//		max_connections_per_client <number>
//		dial_timeout <duration>
//		failover_delay <duration>|off
//		idle_timeout <duration>|off
//		half_close_timeout <duration>|off
//		max_connection_age <duration>|off
//		keepalive <duration>|off
//		keepalive_interval <duration>
//		user_timeout <duration>|off
//		unserved_limit <number>|off
//		when_full move|close|wait [<duration>]
//		wait_timeout <duration>
//		max_waiting <number>
//		resolve_interval <duration>|off
//		resolve_hold <duration>
//		health_check tcp|send|http {
//			<options...>
//		}
//		when_down keep|close
//		proxy_protocol v1|v2
//		grace_period <duration>
//		stop_spread <duration>|off
//		reuse_port on|off
//		access_log on|off
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the handler's name
	first := d.Token()
	for d.NextArg() {
		if err := checkDial(d, "sticky_proxy"); err != nil {
			return err
		}
		h.Upstreams = append(h.Upstreams, &Upstream{Dial: d.Val()})
	}
	if err := h.table().ReadBlock(d, "sticky_proxy"); err != nil {
		return err
	}
	if len(h.Upstreams) == 0 && h.DynamicUpstreamsRaw == nil {
		at := caddyfile.NewDispenser([]caddyfile.Token{first})
		at.Next()
		return at.Errf("sticky_proxy: %w", errNoUpstreams)
	}
	return nil
}

// checkDial returns an error if the argument at which the dispenser stands is no address of an upstream. One with placeholders is
// looked at when the config is loaded.
func checkDial(d *caddyfile.Dispenser, name string) error {
	if strings.Contains(d.Val(), "{") {
		return nil
	}
	if _, err := dialAddresses(d.Val()); err != nil {
		return d.Errf("%s: %w", name, err)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Handler)(nil)
	_ caddy.CleanerUpper    = (*Handler)(nil)
	_ caddyfile.Unmarshaler = (*Handler)(nil)
	_ layer4.NextHandler    = (*Handler)(nil)
)
