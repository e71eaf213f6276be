package l4sticky

import (
	"net/http"
	"net/netip"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// Why a client goes where it goes.
const (
	becauseSession   = "session"
	becausePlacement = "placement"
	becauseFailover  = "failover"
	becauseDrained   = "drained"
	becauseFull      = "full"
	becauseOverride  = "override"
	becauseNone      = "none"
)

func getExplanation(r *adminRequest) (any, error) {
	c, err := r.pool()
	if err != nil {
		return nil, err
	}
	text := r.query.Get("client")
	if text == "" {
		return nil, apiError(http.StatusBadRequest, "client: the parameter must be given")
	}
	client, err := c.parseClient(text)
	if err != nil {
		return nil, badRequest(err)
	}
	return c.explain(client), nil
}

// explain tells where a client goes with its next connection, and why. It changes nothing.
func (c *poolConfig) explain(client netip.Addr) adminapi.Explanation {
	e := adminapi.Explanation{Client: client.String(), Order: []adminapi.Candidate{}}
	for _, m := range c.order(client) {
		next := candidate(m)
		e.Order = append(e.Order, next)
		if next.Usable && e.Placement == "" {
			e.Placement = next.Address
		}
	}
	var own *target.Member
	e.Upstream = e.Placement
	if info, found := c.sessions.Peek(client); found && c.targets.Placement().Sticky {
		s := c.sessionStatus(info)
		e.Session = &s
		switch own = c.targets.Member(info.Target); {
		case own == nil || !usableNow(own):
		case c.returnsHome(info):
			e.Reason, e.Text = becausePlacement, "the client comes back, and goes where a new client would"
		default:
			e.Upstream, e.Reason, e.Text = s.Upstream, becauseSession, "the client has a session there"
		}
	}
	if e.Upstream == "" {
		if m := c.fallback(client, own); m != nil {
			e.Upstream, e.Reason, e.Text = m.Config.Address.String(), becauseFailover, "no upstream is well, so one is tried that may yet serve"
		}
	}
	if own == nil {
		own = c.targets.PlaceByConfig(client)
	}
	if e.Reason == "" {
		e.Reason, e.Text = why(own, e.Upstream)
	}
	if e.Session == nil && c.sharing.Load() != nil {
		e.Text += ", unless the session store has a session of the client"
	}
	return e
}

// fallback returns the target of a client that none which is well can take, or nil: one that does not answer, or else one whose checks
// fail. The client's own goes before others.
func (c *poolConfig) fallback(client netip.Addr, own *target.Member) *target.Member {
	reachable := func(m *target.Member) bool {
		return !m.Deactivated() && m.Mode() != target.Maintenance && !m.Full()
	}
	active := func(m *target.Member) bool { return m.Active() && reachable(m) }
	for _, allowed := range []func(*target.Member) bool{active, reachable} {
		if own != nil && allowed(own) {
			return own
		}
		if m := c.targets.Place(client, allowed); m != nil {
			return m
		}
	}
	return nil
}

// returnsHome reports whether the client of a session may go home with its next connection.
func (c *poolConfig) returnsHome(i session.Info[*target.Target]) bool {
	return c.bringsHome() && !i.Live() && i.Moved && c.homeOf(i) != nil
}

// usableNow reports whether a client that has its session at a target gets there.
func usableNow(m *target.Member) bool { return m.Active() && !m.Suspect() && !m.Full() }

// order returns the targets in the order in which a client without a session would get them, one after the other being gone.
func (c *poolConfig) order(client netip.Addr) (all []*target.Member) {
	seen := make(map[*target.Member]bool)
	for {
		m := c.targets.Place(client, func(m *target.Member) bool { return !seen[m] })
		if m == nil {
			break
		}
		seen[m] = true
		all = append(all, m)
	}
	for _, m := range c.targets.Members() {
		if !seen[m] {
			all = append(all, m) // gets no new clients
		}
	}
	return all
}

func candidate(m *target.Member) adminapi.Candidate {
	condition := m.Condition()
	c := adminapi.Candidate{Address: m.Config.Address.String(), State: string(condition.State), Usable: usableNow(m) && !m.Drains(), Reason: condition.Reason}
	switch {
	case c.Usable || c.Reason != "":
	case m.Full():
		c.Reason = "it is full"
	case m.Suspect():
		c.Reason = "it does not answer"
	}
	return c
}

// why returns why a client does not go to a target where it would be, and what becomes of it instead.
func why(own *target.Member, upstream string) (reason, text string) {
	switch {
	case upstream == "":
		return becauseNone, "no upstream takes the client"
	case own == nil || own.Config.Address.String() == upstream:
		return becausePlacement, "placement gives it to a new client"
	}
	at := own.Config.Address.String()
	switch set := own.Control(target.Operator); {
	case set.Mode == target.Maintenance || set.Weight != nil && *set.Weight == 0 && own.Config.Weight != 0:
		return becauseOverride, "an operator has taken out " + at
	case own.Drains():
		return becauseDrained, at + " gets no new clients"
	case own.Active() && own.Full():
		return becauseFull, at + " is full"
	case usableNow(own):
		return becauseOverride, "an operator or an agent has set weights; by those of the config it would be " + at
	}
	return becauseFailover, at + " does not serve: " + own.Condition().Reason
}
