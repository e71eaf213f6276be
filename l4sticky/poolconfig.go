package l4sticky

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/clientip"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A poolConfig is a pool with the settings of one config. The handlers of that config share it. Its settings never
// change, so a connection keeps the settings under which it came while configs come and go.
type poolConfig struct {
	*pool
	run          *run
	config       *prometheus.Registry // identifies the config, since each has its own
	users        int                  // handlers that have joined; guarded by the pool's lock
	stop         stopTerms            // the longest of the handlers'; guarded by the pool's lock
	settings     settings
	targets      *target.Set
	deactivation time.Duration
	logger       *zap.Logger
	events       *emitter
	store        *openStore // nil if the sessions are not shared

	times names.Times                  // of look-ups; guarded by the pool's lock
	names map[target.Address]*poolName // by the upstream; guarded by the pool's lock

	source  *poolSource             // nil if the config has none; guarded by the pool's lock
	dynamic map[target.Address]bool // the upstreams that it has found; guarded by the pool's lock

	kept *keptConfig // how sessions are kept over a stop of Caddy, nil if they are not; guarded by the pool's lock

	full        *fullTerms  // of its handlers; guarded by the pool's lock
	fullDiffers bool        // not all of them have these; guarded by the pool's lock
	gone        atomic.Bool // all handlers have quit

	checking *checking // how the targets are checked, nil until a handler has told it; guarded by the pool's lock
}

// settings are what all handlers of a pool must have in common within one config.
type settings struct {
	upstreams []target.Config
	dynamic   *dynamicSource // nil if all upstreams are listed
	options   Options
	unnamed   bool // the config does not name the pool
}

var errNoUpstreams = errors.New("no upstreams are given; at least one is needed")

// newSettings returns the settings that a handler has. It returns an error if they contradict each other.
func newSettings(options Options, upstreams []target.Config, dynamic *dynamicSource) (settings, error) {
	if len(upstreams) == 0 && dynamic == nil {
		return settings{}, errNoUpstreams
	}
	placement := target.PlacementNamed(options.Placement)
	if err := checkDuplicates(placement, upstreams); err != nil {
		return settings{}, err
	}
	if !placement.Ordered { // two handlers need not have the same order
		upstreams = slices.SortedFunc(slices.Values(upstreams), func(a, b target.Config) int {
			return strings.Compare(a.Address.String(), b.Address.String())
		})
	}
	return settings{upstreams: upstreams, dynamic: dynamic, options: options}, nil
}

// inPool tells in which pool handlers disagree, and what to do about that.
func inPool(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("pool '%s': %w; name a pool for each with the pool option", name, err)
}

// extendStop makes the time that the pool's connections get when Caddy exits at least that long.
func (c *poolConfig) extendStop(terms stopTerms) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop = c.stop.longest(terms)
}

// quit undoes one join. When the last handler of a config has quit, the limits of the sessions become those of the
// newest config that remains: the new one after a reload, the old one after a reload that failed.
func (c *poolConfig) quit() {
	if caddy.Exiting() {
		exitBegan()
	}
	last := c.pool.remove(c)
	_, _ = pools.Delete(c.pool.name)
	if last {
		closeLeftovers(c.run.ctx)
	}
}

// client returns the address by which a connection's client is known. It returns an invalid one for a peer without an
// IP address, on a Unix socket.
func (c *poolConfig) client(remote net.Addr) netip.Addr {
	return c.clientOf(clientip.Of(remote))
}

// clientOf returns the address by which the client with an address is known.
func (c *poolConfig) clientOf(client netip.Addr) netip.Addr {
	if prefix := c.settings.options.ClientPrefix; prefix.Bits(client) < client.BitLen() {
		return prefix.Client(client)
	}
	return client // with its zone, which tells link-local addresses apart
}

// acquire returns the client's session for one more connection, or false if the client has as many as the limit allows;
// zero means no limit. The caller must give the session back to c.sessions.Release.
func (c *poolConfig) acquire(client netip.Addr, limit int) (*clientSession, bool) {
	if !c.targets.Placement().Sticky || !client.IsValid() {
		return c.sessions.Detached(), true
	}
	return c.sessions.AcquireWithin(client, limit)
}

// settle returns the session's target. If that is not usable for this connection, it moves the session to one that is,
// and returns nil if there is none. Connections of a client that settle at the same time get the same target.
func (c *poolConfig) settle(s *clientSession, client netip.Addr, usable func(*target.Member) bool) *target.Member {
	agreed := c.sessions.Settle(s,
		func(t *target.Target) bool {
			m := c.targets.Member(t)
			return m != nil && usable(m)
		},
		func() *target.Target {
			if m := c.targets.Place(client, usable); m != nil {
				return m.Target
			}
			return nil
		})
	return c.targets.Member(agreed)
}

// bringsHome reports whether clients that come back are placed anew, if they had left their target or belong elsewhere.
func (c *poolConfig) bringsHome() bool {
	if c.settings.options.ReturnHome == returnWhenIdle {
		return true
	}
	b := c.rebalance.Load()
	return b != nil && b.running.Load()
}

// goHome moves the session of a client that comes back after it had left its target to its home, if that is usable.
func (c *poolConfig) goHome(s *clientSession, client netip.Addr, usable func(*target.Member) bool) {
	c.sessions.Return(s, func() *target.Target { return c.home(client, usable) })
}

// home returns where a client would be if it had no session, and no target had ever failed, or nil if that is not usable.
func (c *poolConfig) home(client netip.Addr, usable func(*target.Member) bool) *target.Target {
	m := c.targets.Place(client, anyMember)
	if m == nil || !usable(m) {
		return nil
	}
	return m.Target
}

func anyMember(*target.Member) bool { return true }

// deactivate keeps new connections away from the target for the deactivation_duration, and tells the reason, if one is known.
func (c *poolConfig) deactivate(m *target.Member, reason error) {
	if c.takeOut(m, reason) {
		c.refreshIfDown(m)
		c.endWhenDown(m)
	}
}

// takeOut is deactivate without what follows from it: nothing is looked up, and no connection ends. It reports whether the target was
// not deactivated before.
func (c *poolConfig) takeOut(m *target.Member, reason error) bool {
	deactivate, why := m.Deactivate, target.Cause(target.DialFailed)
	switch {
	case errors.Is(reason, errUnserved):
		deactivate, why = m.DeactivateMute, target.Mute
	case errors.Is(reason, errDeactivated):
		deactivate, why = m.DeactivateAsked, target.Asked
	case errors.Is(reason, errOwnListener):
		why = target.Loop
	case reason != nil:
		why = target.Cause(resultOf(reason))
	}
	if !deactivate(c.deactivation) {
		return false
	}
	m.Deactivations.Add(why)
	m.Explain(textOf(reason))
	c.tellOf(m, upstreamDeactivated, zap.Duration("duration", c.deactivation), reasonOf(reason))
	return true
}

// upstreamFields tell in a line of the log which target it is about: the upstream as the config has it, and its address if
// the upstream has several.
func upstreamFields(m *target.Member) []zap.Field {
	fields := []zap.Field{zap.Stringer("upstream", upstreamOf(m))}
	if m.Config.Address != upstreamOf(m) {
		fields = append(fields, zap.Stringer("address", m.Config.Address))
	}
	return fields
}

// upstreamOf returns the address of the upstream of the config to which a target belongs.
func upstreamOf(m *target.Member) target.Address { return cmp.Or(m.Config.Upstream, m.Config.Address) }

// checkAgreement returns an error that names what differs between two handlers of a config that share a pool.
func (s settings) checkAgreement(other settings) error {
	if !slices.Equal(s.upstreams, other.upstreams) {
		return fmt.Errorf("two handlers have different upstreams (%s and %s)", describe(s.upstreams), describe(other.upstreams))
	}
	if keyOf(s.dynamic) != keyOf(other.dynamic) {
		return fmt.Errorf("two handlers have different dynamic_upstreams ('%s' and '%s')", keyOf(s.dynamic), keyOf(other.dynamic))
	}
	if err := s.options.table().CheckSame(other.options.table()); err != nil {
		return fmt.Errorf("two handlers have %w", err)
	}
	return nil
}

// describe lists upstreams for an error.
func describe(upstreams []target.Config) string {
	text := ""
	for i, u := range upstreams {
		if i > 0 {
			text += ", "
		}
		text += u.Address.String()
		if u.Weight != 1 {
			text += fmt.Sprintf(" weight %d", u.Weight)
		}
		if u.MaxConnections > 0 {
			text += fmt.Sprintf(" max_connections %d", u.MaxConnections)
		}
		if u.Backup > 0 {
			text += " backup"
		}
		if u.Drain {
			text += " drain"
		}
	}
	return text
}

// checkDuplicates returns an error if an address comes twice, which is a mistake unless the placement makes use of it.
func checkDuplicates(placement *target.Placement, upstreams []target.Config) error {
	seen := make(map[target.Address]target.Config)
	for _, u := range upstreams {
		address := canonical(u.Address)
		first, twice := seen[address]
		switch {
		case twice && !placement.Duplicates:
			return fmt.Errorf("upstream %s is given twice; use weight to give it a larger share", u.Address)
		case twice && (first.Backup != u.Backup || first.MaxConnections != u.MaxConnections):
			return fmt.Errorf("upstream %s is given twice, with different settings", u.Address)
		}
		seen[address] = u
	}
	return nil
}

// canonical returns an address in a spelling that is the same for all that mean one target: a name with a dot at its end
// differs from the same without only in the way in which it is looked up, and no host is this machine.
func canonical(a target.Address) target.Address {
	host, port, ok := a.Split()
	if !ok {
		return a
	}
	host = strings.TrimSuffix(host, ".")
	switch {
	case host == "" && a.Network == "tcp6":
		host = "::1"
	case host == "":
		host = "127.0.0.1"
	}
	if _, err := netip.ParseAddr(host); err == nil {
		a.Network = "tcp"
	}
	a.Dial = net.JoinHostPort(host, strconv.Itoa(int(port)))
	return a
}
