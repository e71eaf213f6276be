package l4sticky

import (
	"cmp"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// wallTime returns the time of day for a time on the monotonic clock.
func wallTime(at time.Duration) time.Time { return started.Add(at) }

// appliedConfigs returns what the running config makes of its pools, by their names.
func appliedConfigs() (all []*poolConfig) {
	pools.Range(func(_, value any) bool {
		if c := value.(*pool).applied.Load(); c != nil {
			all = append(all, c)
		}
		return true
	})
	slices.SortFunc(all, func(a, b *poolConfig) int { return cmp.Compare(a.name, b.name) })
	return all
}

// poolNamed returns the pool with the name, or nil if there is none.
func poolNamed(name string) (found *pool) {
	pools.Range(func(key, value any) bool {
		if key == name {
			found = value.(*pool)
		}
		return key != name
	})
	return found
}

// status returns what there is to know of a pool.
func (c *poolConfig) status() adminapi.Pool {
	status := adminapi.Pool{
		Pool:        c.name,
		Connections: int(c.open.Load()),
		Waiting:     int(c.waiting.Load()),
		Node:        node.id,
		Sessions:    adminapi.Sessions{Limit: c.settings.options.MaxSessions},
		Upstreams:   []adminapi.Upstream{},
	}
	if s := c.sharing.Load(); s != nil {
		up := s.Working()
		status.Nodes, status.StoreUp = nodesOf(s), &up
	}
	for _, m := range c.targets.Members() {
		status.Upstreams = append(status.Upstreams, c.upstreamStatus(m))
	}
	for _, t := range c.registry.Removed(c.targets) {
		status.Upstreams = append(status.Upstreams, removedStatus(t))
	}
	for _, u := range status.Upstreams {
		status.Sessions.Live += u.Sessions.Live
		status.Sessions.Idle += u.Sessions.Idle
	}
	return status
}

// nodesOf returns the nodes that share the sessions of a pool.
func nodesOf(s *sharing) (all []adminapi.Node) {
	for _, n := range s.Nodes() {
		all = append(all, adminapi.Node{ID: n.ID, Host: n.Host, LastSeen: time.Now().Add(-n.Seen), Connections: n.Connections})
	}
	return all
}

func (c *poolConfig) upstreamStatus(m *target.Member) adminapi.Upstream {
	status := targetStatus(m.Target)
	condition := m.Condition()
	status.Address = m.Config.Address.String()
	status.Upstream = upstreamOf(m).String()
	status.State, status.Reason, status.Since = string(condition.State), condition.Reason, wallTime(condition.Since)
	if condition.Until != 0 {
		until := wallTime(condition.Until)
		status.Until = &until
	}
	status.Weight, status.MaxConnections, status.Backup = m.Weight(), m.MaxConnections(), m.Config.Backup > 0
	status.Override = c.override(m.Target)
	return status
}

func removedStatus(t *target.Target) adminapi.Upstream {
	status := targetStatus(t)
	status.State, status.Reason = string(target.Removed), "no config has it any more"
	status.Since = wallTime(t.RemovedAt())
	return status
}

// targetStatus returns what is known of a target whatever the config says.
func targetStatus(t *target.Target) adminapi.Upstream {
	live, idle := t.Sessions.Count()
	dials, failed := t.Dials.Total()
	status := adminapi.Upstream{
		Address: t.Address.String(), Upstream: t.Address.String(),
		Connections:  t.Connections(),
		Sessions:     adminapi.Sessions{Live: live, Idle: idle},
		BytesUp:      t.Bytes.Bytes(flow.Client),
		BytesDown:    t.Bytes.Bytes(flow.Target),
		Dials:        dials,
		DialFailures: failed,
	}
	if last := t.Dials.LastError(); last != nil {
		status.LastError = &adminapi.LastError{Text: last.Text, At: wallTime(last.At)}
	}
	return status
}

// sessionStatus returns what there is to know of a session.
func (c *poolConfig) sessionStatus(i session.Info[*target.Target]) adminapi.Session {
	status := adminapi.Session{Client: i.Client.String(), Connections: i.Connections, Since: wallTime(i.Since)}
	if i.Target != nil {
		status.Upstream = c.addressOf(i.Target)
	}
	if !i.Live() {
		left := max(0, time.Duration(c.settings.options.SessionExpiry)-(monotonic()-i.IdleSince)).Seconds()
		status.ExpiresIn = &left
	}
	return status
}

// addressOf returns the address by which a target is named.
func (c *poolConfig) addressOf(t *target.Target) string {
	if m := c.targets.Member(t); m != nil {
		return m.Config.Address.String()
	}
	return t.Address.String()
}
