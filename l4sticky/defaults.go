package l4sticky

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

const (
	defaultDialTimeout   = 3 * time.Second
	defaultFailoverDelay = 300 * time.Millisecond
	defaultUnservedLimit = 3
)

// What Linux takes for TCP_KEEPIDLE and TCP_KEEPINTVL, and for TCP_USER_TIMEOUT.
var (
	inKeepAlive   = parse.Between(caddy.Duration(time.Second), caddy.Duration(32767*time.Second))
	inUserTimeout = parse.Between(caddy.Duration(time.Millisecond), caddy.Duration(math.MaxInt32*time.Millisecond))
)

// A name is never looked up more often than once in a second.
var inResolveInterval = parse.Between(caddy.Duration(names.MinPause), caddy.Duration(parse.MaxDuration))

// ppVersions are the versions of the PROXY protocol, from 1 on.
var ppVersions = []string{"v1", "v2"}

// table returns the handler's options.
func (h *Handler) table() parse.Options {
	keepAlive := keepalive.Default
	legacy := h.Placement == target.Legacy.Name
	waits := h.WhenFull == fullWait
	looksUp := h.ResolveInterval >= 0 && !legacy || h.DynamicUpstreamsRaw != nil
	return append(h.Options.table(),
		parse.Int("max_connections", &h.MaxConnections, 0),
		parse.Int("max_connections_per_client", &h.MaxConnectionsPerClient, 0),
		parse.Duration("dial_timeout", &h.DialTimeout, defaultDialTimeout),
		parse.DurationOrOff("failover_delay", &h.FailoverDelay, defaultFailoverDelay, -1),
		parse.DurationOrOff("idle_timeout", &h.IdleTimeout, 0, 0),
		parse.DurationOrOff("half_close_timeout", &h.HalfCloseTimeout, 0, 0),
		parse.DurationOrOff("max_connection_age", &h.MaxConnectionAge, 0, 0),
		parse.DurationOrOff("keepalive", &h.KeepAlive, keepAlive.Idle, -1, inKeepAlive),
		parse.Duration("keepalive_interval", &h.KeepAliveInterval, keepAlive.Interval, inKeepAlive).OnlyFor("keepalive", h.KeepAlive >= 0),
		parse.DurationOrOff("user_timeout", &h.UserTimeout, keepAlive.UserTimeout, -1, inUserTimeout),
		parse.IntOrOff("unserved_limit", &h.UnservedLimit, defaultUnservedLimit),
		parse.Enum("when_full", &h.WhenFull, fullMove, fullMove, fullWait, fullClose).ReadBy(h.readWhenFull),
		parse.Duration("wait_timeout", &h.WaitTimeout, defaultWaitTimeout).OnlyFor("when_full wait", waits),
		parse.Int("max_waiting", &h.MaxWaiting, defaultMaxWaiting).OnlyFor("when_full wait", waits),
		parse.DurationOrOff("resolve_interval", &h.ResolveInterval, defaultResolveInterval, -1, inResolveInterval).
			OnlyFor("placement rendezvous or random", !legacy || h.ResolveInterval < 0),
		parse.Duration("resolve_hold", &h.ResolveHold, defaultResolveHold).OnlyFor("a resolve_interval or dynamic_upstreams", looksUp),
		parse.Blocks("health_check", func(d *caddyfile.Dispenser) error {
			if h.HealthCheck != nil {
				return d.Err("sticky_proxy: option 'health_check' is given twice")
			}
			h.HealthCheck = new(HealthCheck)
			return h.HealthCheck.UnmarshalCaddyfile(d)
		}),
		parse.Enum("when_down", &h.WhenDown, keepWhenDown, keepWhenDown, closeWhenDown),
		parse.Enum("proxy_protocol", &h.ProxyProtocol, "", ppVersions...),
		parse.Duration("grace_period", &h.GracePeriod, 0),
		parse.DurationOrOff("stop_spread", &h.StopSpread, 0, 0),
		parse.OnOff("reuse_port", &h.ReusePort),
		parse.OnOff("access_log", &h.AccessLog),
		parse.Blocks("upstream", func(d *caddyfile.Dispenser) error {
			u := new(Upstream)
			h.Upstreams = append(h.Upstreams, u)
			return u.UnmarshalCaddyfile(d)
		}),
		parse.Blocks("dynamic", h.readDynamic),
	)
}

// setDefaults puts the defaults where nothing is set, and returns an error if a value is out of its bounds or two options
// contradict each other. Then it derives from the options what the handler works with.
func (h *Handler) setDefaults() error {
	if err := h.table().SetDefaults(); err != nil {
		return err
	}
	if err := h.Options.setDefaults(); err != nil {
		return err
	}
	if h.MaxConnectionsPerClient > 0 && !target.PlacementNamed(h.Placement).Sticky {
		return fmt.Errorf("max_connections_per_client: %d can't be kept with placement %s, which has no sessions to count in",
			h.MaxConnectionsPerClient, h.Placement)
	}
	if h.StopSpread > h.GracePeriod {
		return fmt.Errorf("stop_spread: %v is longer than grace_period, which is %v", time.Duration(h.StopSpread), time.Duration(h.GracePeriod))
	}
	if h.HealthCheck != nil {
		if err := h.HealthCheck.setDefaults(); err != nil {
			return err
		}
	}
	h.ppVersion = byte(1 + slices.Index(ppVersions, h.ProxyProtocol)) // 0 without a header
	h.failover = h.FailoverDelay >= 0
	h.times.Times = search.Times{Timeout: time.Duration(h.DialTimeout), Late: time.Duration(h.FailoverDelay)}
	h.times.Limits = flow.Limits{Idle: time.Duration(h.IdleTimeout), HalfClose: time.Duration(h.HalfCloseTimeout), MaxAge: time.Duration(h.MaxConnectionAge)}
	if h.UnservedLimit > 0 {
		h.times.Redispatch = time.Duration(h.DialTimeout)
	}
	h.times.Own = mayBeOwn
	h.times.KeepAlive = keepalive.Options{
		Idle:        max(0, time.Duration(h.KeepAlive)),
		Interval:    time.Duration(h.KeepAliveInterval),
		UserTimeout: max(0, time.Duration(h.UserTimeout)),
	}
	if !h.failover {
		h.times.Late = defaultFailoverDelay // to look whether the target was deactivated meanwhile
	}
	return nil
}
