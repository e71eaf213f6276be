package l4sticky

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4proxy"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

func init() {
	caddy.RegisterModule(new(SelectionPolicy))
}

// SelectionPolicy brings sticky sessions to caddy-l4's own `proxy` handler, for what `sticky_proxy` does not
// carry: UDP, and TLS to the upstreams. It shares sessions, placement and the upstreams' health with
// every `sticky_proxy` of the same pool.
//
// The `proxy` handler tells a policy that an upstream failed only by asking again, so `lb_try_duration`
// must be set for a failing upstream to be left behind; `lb_try_interval` is the pause before each
// further try. An upstream that `proxy` itself takes for unhealthy or full gets no clients.
//
// The handler `sticky_session` in front of `proxy` tells the policy when a connection ends. Without it a
// session expires `session_expiry` after its last connection began.
type SelectionPolicy struct {
	Options

	dialer *dialer
	places map[target.Address]int // the index of each upstream
}

// CaddyModule returns the Caddy module information.
func (*SelectionPolicy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.proxy.selection_policies.sticky_ip",
		New: func() caddy.Module { return new(SelectionPolicy) },
	}
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (p *SelectionPolicy) UnmarshalJSON(data []byte) error {
	type plain SelectionPolicy
	return p.table().ReadJSON(data, (*plain)(p))
}

// Provision checks the options and joins the pool with the upstreams of the handler around it.
func (p *SelectionPolicy) Provision(ctx caddy.Context) error {
	if err := p.setDefaults(); err != nil {
		return err
	}
	var handler *l4proxy.Handler
	for _, module := range ctx.Modules() {
		if h, ok := module.(*l4proxy.Handler); ok {
			handler = h
		}
	}
	if handler == nil {
		return errors.New("sticky_ip works as lb_policy of the proxy handler only")
	}
	upstreams, err := proxyUpstreams(handler.Upstreams)
	if err != nil {
		return err
	}
	c, err := join(ctx, p.Options, upstreams, nil)
	if err != nil {
		return err
	}
	c.persist(ctx)
	p.dialer = newDialer(c, defaultDialTimeout, keepalive.Default, ctx.Logger())
	p.places = make(map[target.Address]int)
	for i, u := range upstreams {
		if _, known := p.places[u.Address]; !known {
			p.places[u.Address] = i
		}
	}
	return nil
}

// proxyUpstreams returns the upstreams of the proxy handler as the target set knows them.
func proxyUpstreams(upstreams []*l4proxy.Upstream) ([]target.Config, error) {
	all := make([]target.Config, 0, len(upstreams))
	for i, u := range upstreams {
		if u == nil {
			return nil, fmt.Errorf("upstreams[%d]: null is not an upstream", i)
		}
		all = append(all, target.Config{
			Address:        proxyAddress(u),
			Weight:         min(max(u.Weight, 1), target.MaxWeight),
			MaxConnections: max(u.MaxConnections, 0),
		})
	}
	return all, nil
}

// proxyAddress returns the address by which an upstream of the proxy handler is known: the same as in
// sticky_proxy where that could dial it.
func proxyAddress(u *l4proxy.Upstream) target.Address {
	if len(u.Dial) == 1 {
		if address, err := dialAddress(u.Dial[0]); err == nil {
			return address
		}
	}
	return target.Address{Dial: u.String()}
}

// Select returns the upstream for the client, or nil if none is available. When it is called again for
// the same connection, the upstream that it returned last has failed. It also returns nil for a connection whose PROXY
// header is wrong; with sticky_session in front, such a connection is closed before it gets here.
func (p *SelectionPolicy) Select(upstreams l4proxy.UpstreamPool, cx *layer4.Connection) *l4proxy.Upstream {
	defer safely.Recover("sticky_ip")
	if err := connchain.HeaderError(cx.Conn); err != nil {
		p.dialer.refused(cx.RemoteAddr(), err)
		return nil
	}
	c := p.choiceFor(cx)
	if c.last != nil {
		p.failed(c.last)
		c.tried = append(c.tried, c.last)
		c.last = nil
	}
	client := p.dialer.client(cx.RemoteAddr())
	session, _ := p.dialer.acquire(client, 0)
	held := false
	defer func() {
		if !held {
			p.dialer.sessions.Release(session)
		}
	}()
	safely.Reach("sticky_ip")
	p.dialer.awaitSession(session)
	c.last = p.choose(upstreams, cx, c, session)
	held = c.last != nil && sessionRefsOf(cx).add(p.dialer.poolConfig, session)
	if c.last == nil {
		return nil
	}
	return upstreams[p.places[upstreamOf(c.last)]]
}

// choose settles the session on an available upstream. It prefers upstreams that have not failed for this connection,
// and among these the active ones.
func (p *SelectionPolicy) choose(upstreams l4proxy.UpstreamPool, cx *layer4.Connection, c *choice, session *clientSession) *target.Member {
	var first l4proxy.FirstSelection
	available := func(m *target.Member) bool {
		i, known := p.places[upstreamOf(m)]
		return known && i < len(upstreams) && m.Mode() != target.Maintenance && first.Select(upstreams[i:i+1], cx) != nil
	}
	untried := func(m *target.Member) bool { return !slices.Contains(c.tried, m) && available(m) }
	active := func(m *target.Member) bool { return m.Active() && untried(m) }

	client := session.Client()
	if p.dialer.bringsHome() {
		p.dialer.goHome(session, client, active)
	}
	if m := p.dialer.settle(session, client, active); m != nil {
		return m
	}
	if m := p.dialer.settle(session, client, untried); m != nil {
		return m
	}
	c.tried = c.tried[:0]
	return p.dialer.settle(session, client, available)
}

// failed handles an upstream that proxy could not connect to. The reason may lie with the client, since proxy's TLS
// handshake may copy the client's settings and the address may contain placeholders of the connection. So an upstream
// that a plain dial can reach is probed first and deactivated only if the probe fails, and one with placeholders is left
// alone. Any other, such as UDP, cannot be probed and is deactivated at once.
func (p *SelectionPolicy) failed(m *target.Member) {
	switch address := m.Config.Address; {
	case address.Network != "":
		p.dialer.verify(m)
	case !strings.Contains(address.Dial, "{"):
		p.dialer.deactivate(m, nil)
	}
}

// A choice is what a policy remembers about a connection.
type choice struct {
	last  *target.Member
	tried []*target.Member
}

type choiceKey struct{ *SelectionPolicy }

// choiceFor returns the connection's choice. It is kept in the connection's context and not
// among its variables, which the branches of a `tee` share without a lock.
func (p *SelectionPolicy) choiceFor(cx *layer4.Connection) *choice {
	c, ok := cx.Context.Value(choiceKey{p}).(*choice)
	if !ok {
		c = new(choice)
		cx.Context = context.WithValue(cx.Context, choiceKey{p}, c)
	}
	return c
}

// Cleanup leaves the pool, if Provision came as far as joining it.
func (p *SelectionPolicy) Cleanup() error {
	if p.dialer != nil {
		p.dialer.quit()
	}
	return nil
}

// UnmarshalCaddyfile sets up the SelectionPolicy from Caddyfile tokens. Syntax:
//
//	sticky_ip {
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
//	}
func (p *SelectionPolicy) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return p.table().ReadModule(d, "sticky_ip")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*SelectionPolicy)(nil)
	_ caddy.CleanerUpper    = (*SelectionPolicy)(nil)
	_ caddyfile.Unmarshaler = (*SelectionPolicy)(nil)
	_ l4proxy.Selector      = (*SelectionPolicy)(nil)
)
