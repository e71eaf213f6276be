package l4sticky

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

const (
	defaultPage = 100
	largestPage = 1000
)

// A sessionFilter says which sessions are meant.
type sessionFilter struct {
	client  netip.Addr // invalid for all
	targets []*target.Target
	state   string // live, idle, or empty for both
	any     bool   // nothing is asked for
}

// filter returns the pool that the path of a request names, and the filter that its parameters make.
func (r *adminRequest) filter() (c *poolConfig, f sessionFilter, err error) {
	if c, err = r.pool(); err != nil {
		return nil, f, err
	}
	client, upstream, state := r.query.Get("client"), r.query.Get("upstream"), r.query.Get("state")
	f.any = client == "" && upstream == "" && state == ""
	if client != "" {
		if f.client, err = c.parseClient(client); err != nil {
			return nil, f, badRequest(err)
		}
	}
	if upstream != "" {
		if f.targets = c.targetsOf(upstream); len(f.targets) == 0 {
			return nil, f, apiError(http.StatusBadRequest, "upstream: the pool '%s' has no upstream '%s'", c.name, upstream)
		}
	}
	if state != "" && state != "live" && state != "idle" {
		return nil, f, apiError(http.StatusBadRequest, "state: '%s' is not one of live, idle", state)
	}
	f.state = state
	return c, f, nil
}

// parseClient returns the client of an address, or of the prefix that it stands for.
func (c *poolConfig) parseClient(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("client: '%s' is not an IP address", text)
	}
	return c.clientOf(addr.Unmap()), nil
}

// targetsOf returns the targets that are at an address, or of an upstream.
func (c *poolConfig) targetsOf(address string) (found []*target.Target) {
	for _, m := range c.targets.Members() {
		if m.Config.Address.String() == address || upstreamOf(m).String() == address {
			found = append(found, m.Target)
		}
	}
	for _, t := range c.registry.Removed(c.targets) {
		if t.Address.String() == address {
			found = append(found, t)
		}
	}
	return found
}

func (f *sessionFilter) match(i session.Info[*target.Target]) bool {
	return (!f.client.IsValid() || i.Client == f.client) &&
		(f.targets == nil || slices.Contains(f.targets, i.Target)) &&
		(f.state == "" || (f.state == "live") == i.Live())
}

func getSessions(r *adminRequest) (any, error) {
	c, f, err := r.filter()
	if err != nil {
		return nil, err
	}
	limit := defaultPage
	if text := r.query.Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > largestPage {
			return nil, apiError(http.StatusBadRequest, "limit: '%s' is not a whole number from 1 to %d", text, largestPage)
		}
	}
	from, err := parseCursor(r.query.Get("cursor"))
	if err != nil {
		return nil, badRequest(err)
	}
	page := adminapi.SessionPage{Sessions: []adminapi.Session{}}
	if f.client.IsValid() { // which is found without a search
		if info, found := c.sessions.Peek(f.client); found && f.match(info) {
			page.Sessions = append(page.Sessions, c.sessionStatus(info))
		}
		return page, nil
	}
	infos, next, more := c.sessions.List(from, limit, f.match)
	for _, info := range infos {
		page.Sessions = append(page.Sessions, c.sessionStatus(info))
	}
	if more {
		page.Cursor = formatCursor(next)
	}
	return page, nil
}

var errCursor = errors.New("cursor: it is not one that this endpoint has given")

// formatCursor returns the text that stands for a position in the list of sessions.
func formatCursor(p session.Position) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.Itoa(p.Shard) + " " + p.After.String()))
}

func parseCursor(text string) (p session.Position, err error) {
	if text == "" {
		return p, nil
	}
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return p, errCursor
	}
	var after string
	if n, err := fmt.Sscanf(string(decoded), "%d %s", &p.Shard, &after); n != 2 || err != nil || p.Shard < 0 {
		return p, errCursor
	}
	if p.After, err = netip.ParseAddr(after); err != nil {
		return p, errCursor
	}
	return p, nil
}

func deleteSessions(r *adminRequest) (any, error) {
	c, f, err := r.filter()
	if err != nil {
		return nil, err
	}
	closes, err := r.flag("close")
	if err != nil {
		return nil, err
	}
	all, err := r.flag("all")
	switch {
	case err != nil:
		return nil, err
	case f.any && !all:
		return nil, apiError(http.StatusBadRequest, "all: to forget all sessions of the pool '%s', all=true must be given", c.name)
	case all && !f.any:
		return nil, apiError(http.StatusBadRequest, "all: it can't be given together with client, upstream or state")
	}
	answer := c.forgetSessions(&f, closes)
	c.logger.Info("sessions forgotten by an operator", zap.String("pool", c.name), zap.Int("sessions", answer.Sessions), zap.Int("connections", answer.Connections))
	return answer, nil
}

// forgetSessions forgets the sessions that are meant, and ends their connections if that is wanted.
func (c *poolConfig) forgetSessions(f *sessionFilter, closes bool) adminapi.Forgotten {
	var answer adminapi.Forgotten
	clients := make(map[netip.Addr]bool) // that have connections
	answer.Sessions = c.sessions.Forget(func(i session.Info[*target.Target]) bool {
		if !f.match(i) {
			return false
		}
		if closes && i.Live() {
			clients[i.Client] = true
		}
		return true
	})
	if len(clients) > 0 {
		answer.Connections = c.endConnections(errForgotten, 0, func(held *holding) bool { return clients[held.session.Client()] })
	}
	return answer
}

// errForgotten is why a connection is ended whose session is forgotten.
var errForgotten = errors.New("the session was forgotten by an operator")

// flag returns a parameter that is true or false.
func (r *adminRequest) flag(name string) (bool, error) {
	text := r.query.Get(name)
	if text == "" {
		return false, nil
	}
	value, err := strconv.ParseBool(text)
	if err != nil {
		return false, apiError(http.StatusBadRequest, "%s: '%s' is not one of true, false", name, text)
	}
	return value, nil
}
