package l4sticky

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

// maxImport is the size of the largest body with sessions. It is that of many sessions, because each import goes through the list of the idle
// sessions that there are.
const maxImport = 16 << 20

// postSessions imports sessions that another balancer has had. It imports none if one of them is invalid.
func postSessions(r *adminRequest) (any, error) {
	c, err := r.pool()
	if err != nil {
		return nil, err
	}
	var wanted adminapi.Import
	if err := r.decodeWithin(maxImport, &wanted); err != nil {
		return nil, err
	}
	if placement := c.targets.Placement(); !placement.Sticky {
		return nil, apiError(http.StatusConflict, "the pool '%s' has placement %s, and so no sessions", c.name, placement.Name)
	}
	answer := adminapi.Imported{UnknownUpstreams: make(map[string]int)}
	addresses := c.addressesByName()
	kept := make([]keptSession, 0, len(wanted.Sessions))
	for i, s := range wanted.Sessions {
		k, err := c.keptSession(s)
		if err != nil {
			return nil, badRequest(fmt.Errorf("sessions[%d].%w", i, err))
		}
		if k.target = addresses[s.Upstream]; k.target == "" {
			answer.UnknownUpstreams[s.Upstream]++
			continue
		}
		kept = append(kept, k)
	}
	counts := c.restoreSessions(kept)
	answer.Imported, answer.Present, answer.Expired, answer.NoRoom = counts.restored, counts.present, counts.expired, counts.full
	c.logger.Info("sessions imported by an operator", zap.String("pool", c.name), zap.Int("sessions", counts.restored))
	return answer, nil
}

// keptSession checks a session that is to be imported. It returns an error that names the field at fault.
func (c *poolConfig) keptSession(s adminapi.ImportedSession) (k keptSession, err error) {
	if k.client, err = netip.ParseAddr(s.Client); err != nil {
		return k, fmt.Errorf("client: '%s' is not an IP address", s.Client)
	}
	if s.Upstream == "" {
		return k, errors.New("upstream: it is missing")
	}
	if s.Since != nil {
		k.since = *s.Since
	}
	k.expiresIn = time.Duration(c.settings.options.SessionExpiry)
	if s.ExpiresIn == nil {
		return k, nil
	}
	if *s.ExpiresIn < 0 {
		return k, fmt.Errorf("expires_in: %v is negative", *s.ExpiresIn)
	}
	// As a number of seconds, what is left may be more than a duration can hold.
	if *s.ExpiresIn < k.expiresIn.Seconds() {
		k.expiresIn = time.Duration(*s.ExpiresIn * float64(time.Second))
	}
	return k, nil
}

// addressesByName returns the addresses of the targets by these, and by those upstreams of the config that stand for one.
func (c *poolConfig) addressesByName() map[string]string {
	addresses := make(map[string]string)
	for _, m := range c.targets.Members() {
		address, upstream := m.Config.Address.String(), upstreamOf(m).String()
		if known, found := addresses[upstream]; found && known != address {
			address = ""
		}
		addresses[upstream] = address
	}
	for _, m := range c.targets.Members() {
		addresses[m.Config.Address.String()] = m.Config.Address.String()
	}
	return addresses
}
