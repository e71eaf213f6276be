package l4sticky

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
)

const (
	defaultDialTimeout   = 3 * time.Second
	defaultFailoverDelay = 300 * time.Millisecond

	// What Linux takes for TCP_KEEPIDLE and TCP_KEEPINTVL, and for TCP_USER_TIMEOUT.
	maxKeepAlive   = 32767 * time.Second
	maxUserTimeout = math.MaxInt32 * time.Millisecond
)

// ppVersions are the versions of the PROXY protocol, from 1 on.
var ppVersions = []string{"v1", "v2"}

// setDefaults puts the default where nothing is set and refuses what makes no sense.
func (h *Handler) setDefaults() error {
	if err := h.Options.setDefaults(); err != nil {
		return err
	}
	if err := parse.DefaultDuration(&h.DialTimeout, "dial_timeout", defaultDialTimeout); err != nil {
		return err
	}
	for _, d := range []struct {
		option *caddy.Duration
		name   string
	}{
		{&h.IdleTimeout, "idle_timeout"},
		{&h.HalfCloseTimeout, "half_close_timeout"},
		{&h.GracePeriod, "grace_period"},
	} {
		if err := parse.DefaultDuration(d.option, d.name, 0); err != nil {
			return err
		}
	}
	if h.failover = h.FailoverDelay >= 0; h.failover {
		if err := parse.DefaultDuration(&h.FailoverDelay, "failover_delay", defaultFailoverDelay); err != nil {
			return err
		}
	}
	h.times = relay.Options{
		DialTimeout: time.Duration(h.DialTimeout),
		Late:        time.Duration(h.FailoverDelay),
		Idle:        time.Duration(h.IdleTimeout),
		HalfClose:   time.Duration(h.HalfCloseTimeout),
		Own:         mayBeOwn,
	}
	if !h.failover {
		h.times.Late = defaultFailoverDelay // to look whether the target was deactivated meanwhile
	}
	if err := h.setKeepAlive(); err != nil {
		return err
	}
	if err := h.checkLimits(); err != nil {
		return err
	}
	if h.ProxyProtocol == "" {
		return nil
	}
	if err := parse.OneOf(h.ProxyProtocol, ppVersions...); err != nil {
		return fmt.Errorf("proxy_protocol: %w", err)
	}
	h.ppVersion = byte(1 + slices.Index(ppVersions, h.ProxyProtocol))
	return nil
}

// setKeepAlive puts the defaults where nothing is set and refuses what the system does not take.
func (h *Handler) setKeepAlive() error {
	defaults := &relay.DefaultKeepAlive
	if h.KeepAlive >= 0 {
		if err := parse.DefaultDuration(&h.KeepAlive, "keepalive", defaults.Idle); err != nil {
			return err
		}
	}
	if err := parse.DefaultDuration(&h.KeepAliveInterval, "keepalive_interval", defaults.Interval); err != nil {
		return err
	}
	if h.UserTimeout >= 0 {
		if err := parse.DefaultDuration(&h.UserTimeout, "user_timeout", defaults.UserTimeout); err != nil {
			return err
		}
	}
	for _, d := range []struct {
		name       string
		value      caddy.Duration
		least, max time.Duration
	}{
		{"keepalive", h.KeepAlive, time.Second, maxKeepAlive},
		{"keepalive_interval", h.KeepAliveInterval, time.Second, maxKeepAlive},
		{"user_timeout", h.UserTimeout, time.Millisecond, maxUserTimeout},
	} {
		if value := time.Duration(d.value); value >= 0 && (value < d.least || value > d.max) {
			return fmt.Errorf("%s: %v is not from %v to %v", d.name, value, d.least, d.max)
		}
	}
	h.times.KeepAlive = relay.KeepAlive{
		Idle:        max(0, time.Duration(h.KeepAlive)),
		Interval:    time.Duration(h.KeepAliveInterval),
		UserTimeout: max(0, time.Duration(h.UserTimeout)),
	}
	return nil
}

func (h *Handler) checkLimits() error {
	switch {
	case h.MaxConnections < 0:
		return fmt.Errorf("max_connections: %d is negative", h.MaxConnections)
	case h.MaxConnectionsPerClient < 0:
		return fmt.Errorf("max_connections_per_client: %d is negative", h.MaxConnectionsPerClient)
	case h.MaxConnectionsPerClient > 0 && h.Placement == PlacementRandom:
		return fmt.Errorf("max_connections_per_client: %d can't be kept with placement random, which has no sessions to count in",
			h.MaxConnectionsPerClient)
	}
	return nil
}
