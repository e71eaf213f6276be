package l4sticky

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/modules/l4proxy"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// newConfig returns the context of a config of its own.
func newConfig(t testing.TB) caddy.Context {
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	return ctx
}

func joinAs(t testing.TB, ctx caddy.Context, pool string, expiry time.Duration, addresses ...string) *poolConfig {
	t.Helper()
	options := Options{Pool: pool, SessionExpiry: caddy.Duration(expiry)}
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	var upstreams []target.Config
	for _, a := range addresses {
		upstreams = append(upstreams, target.Config{Address: target.Address{Network: "tcp", Dial: a}, Weight: 1})
	}
	v, err := join(ctx, options, upstreams, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func known(pool string) bool {
	_, ok := pools.References(pool)
	return ok
}

var visitor = netip.MustParseAddr("192.0.2.1")

func all(*target.Member) bool { return true }

// visit is a connection that settles and ends; it returns where the client went.
func visit(v *poolConfig) string {
	s, _ := v.acquire(visitor, 0)
	defer v.sessions.Release(s)
	return v.settle(s, visitor, all).Address.Dial
}

func TestPoolOutlivesReload(t *testing.T) {
	old := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1", "b:1", "c:1")
	home := visit(old)
	s, _ := old.acquire(visitor, 0)
	old.settle(s, visitor, all).Deactivate(time.Minute)
	old.sessions.Release(s)

	// The new config has the target of the client and another.
	next := joinAs(t, newConfig(t), t.Name(), time.Minute, "z:1", home)
	if old.pool != next.pool {
		t.Fatal("the new config has another pool")
	}
	old.quit()
	if got := visit(next); got != home {
		t.Errorf("the client went from %s to %s over a reload", home, got)
	}
	for _, m := range next.targets.Members() {
		if m.Active() == (m.Address.Dial == home) {
			t.Errorf("%s is active: %v", m.Address.Dial, m.Active())
		}
	}

	// Now its target is removed.
	last := joinAs(t, newConfig(t), t.Name(), time.Minute, "z:1")
	next.quit()
	if got := visit(last); got != "z:1" {
		t.Errorf("the client of a removed target went to %s", got)
	}
	last.quit()
	if known(t.Name()) {
		t.Error("the pool is kept though nothing uses it")
	}
}

func TestOpenConnectionKeepsThePool(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	v.enter()
	v.enter()
	v.quit()
	v.leave()
	if !known(t.Name()) {
		t.Fatal("the pool is gone while a connection is open")
	}
	again := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	if again.pool != v.pool {
		t.Error("a config that comes back has another pool")
	}
	again.quit()
	v.leave()
	if known(t.Name()) {
		t.Error("the pool is kept though nothing uses it")
	}
	// A connection that was accepted before its config went may be handled after it.
	v.enter()
	visit(v)
	v.leave()
	if known(t.Name()) {
		t.Error("the pool is kept after a late connection")
	}
}

func TestFailedConfigTakesNothingAway(t *testing.T) {
	running := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1", "b:1")
	home := visit(running)
	failed := joinAs(t, newConfig(t), t.Name(), time.Nanosecond, "c:1")
	if got := visit(running); got != home {
		t.Errorf("while a config is provisioned the client went from %s to %s", home, got)
	}
	failed.quit()
	if got := visit(running); got != home {
		t.Errorf("after a config failed the client went from %s to %s", home, got)
	}
	running.quit()
}

// TestNewExpiryReachesLiveSessions shortens the expiry to nothing, so that no time has to pass.
func TestNewExpiryReachesLiveSessions(t *testing.T) {
	old := joinAs(t, newConfig(t), t.Name(), time.Hour, "a:1", "b:1")
	defer func() {
		if known(t.Name()) {
			t.Error("the pool is kept though nothing uses it")
		}
	}()
	s, _ := old.acquire(visitor, 0)
	home := old.settle(s, visitor, all)
	other := old.targets.Place(visitor, func(m *target.Member) bool { return m != home })
	moveTo(old, s, other)
	old.sessions.Release(s)
	if got := visit(old); got != other.Address.Dial {
		t.Fatalf("the session moved to %s, the client goes to %s", other.Address.Dial, got)
	}
	next := joinAs(t, newConfig(t), t.Name(), time.Nanosecond, "a:1", "b:1")
	old.quit()
	if got := visit(next); got != home.Address.Dial {
		t.Errorf("the expired session's client goes to %s, want %s", got, home.Address.Dial)
	}
	next.quit()
}

func TestPoolOfOneConfigMustAgree(t *testing.T) {
	ctx := newConfig(t)
	v := joinAs(t, ctx, t.Name(), time.Minute, "a:1")
	if same := joinAs(t, ctx, t.Name(), time.Minute, "a:1"); same != v {
		t.Error("two handlers of a config do not share")
	} else {
		same.quit()
	}
	options := v.settings.options
	_, err := join(ctx, options, []target.Config{{Address: target.Address{Network: "tcp", Dial: "b:1"}, Weight: 1}}, nil)
	if err == nil || !strings.Contains(err.Error(), t.Name()) {
		t.Errorf("different upstreams: %v, want an error that names the pool", err)
	}
	v.quit()
	if known(t.Name()) {
		t.Error("a refused handler keeps the pool")
	}
}

func TestProxyUpstreamIsKnownByItsAddress(t *testing.T) {
	for want, u := range map[target.Address]*l4proxy.Upstream{
		{Network: "tcp", Dial: "10.0.0.1:80"}: {Dial: []string{"tcp/10.0.0.1:80"}},
		{Network: "unix", Dial: "/run/app"}:   {Dial: []string{"unix//run/app"}},
		{Dial: "udp/10.0.0.1:80"}:             {Dial: []string{"udp/10.0.0.1:80"}},
		{Dial: "10.0.0.1:80,10.0.0.2:80"}:     {Dial: []string{"10.0.0.1:80", "10.0.0.2:80"}},
		{Dial: "{l4.tls.server_name}:443"}:    {Dial: []string{"{l4.tls.server_name}:443"}},
		{Dial: ""}:                            {},
	} {
		if got := proxyAddress(u); got != want {
			t.Errorf("%v is known as %+v, want %+v", u.Dial, got, want)
		}
	}
}

func TestClientPrefix(t *testing.T) {
	v := &poolConfig{settings: settings{options: Options{ClientPrefix: &parse.ClientPrefix{IPv4: 24, IPv6: 64}}}}
	for remote, want := range map[string]string{
		"192.0.2.77":           "192.0.2.0",
		"::ffff:192.0.2.77":    "192.0.2.0",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::",
		"2001:db8:1:2::":       "2001:db8:1:2::",
	} {
		if got := v.client(&net.TCPAddr{IP: net.ParseIP(remote), Port: 1}); got.String() != want {
			t.Errorf("%s is the client %v, want %s", remote, got, want)
		}
	}
	whole := &poolConfig{settings: settings{options: Options{ClientPrefix: &parse.ClientPrefix{IPv4: 32, IPv6: 128}}}}
	if got := whole.client(&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0"}); got.String() != "fe80::1%eth0" {
		t.Errorf("a link-local client is %v, want it with its zone", got)
	}
	if got := whole.client(&net.UnixAddr{Name: "@", Net: "unix"}); got.IsValid() {
		t.Errorf("a client on a Unix socket is %v, want none", got)
	}
}

// moveTo makes m the session's target.
func moveTo(c *poolConfig, s *clientSession, m *target.Member) {
	c.sessions.Settle(s,
		func(t *target.Target) bool { return t == m.Target },
		func() *target.Target { return m.Target })
}
