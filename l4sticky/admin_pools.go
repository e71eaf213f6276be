package l4sticky

import (
	"net/http"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

func getPools(*adminRequest) (any, error) {
	all := []adminapi.Pool{}
	for _, c := range appliedConfigs() {
		all = append(all, c.status())
	}
	return all, nil
}

func getPool(r *adminRequest) (any, error) {
	c, err := r.pool()
	if err != nil {
		return nil, err
	}
	return c.status(), nil
}

// upstream returns the target that the path names, and false if the config does not have it any more.
func (r *adminRequest) upstream() (c *poolConfig, m *target.Member, status adminapi.Upstream, err error) {
	c, err = r.pool()
	if err != nil {
		return nil, nil, status, err
	}
	address := r.vars["address"]
	for _, m := range c.targets.Members() {
		if m.Config.Address.String() == address {
			return c, m, c.upstreamStatus(m), nil
		}
	}
	for _, t := range c.registry.Removed(c.targets) {
		if t.Address.String() == address {
			return c, nil, removedStatus(t), nil
		}
	}
	return nil, nil, status, apiError(http.StatusNotFound, "the pool '%s' has no upstream '%s'", c.name, address)
}

func getUpstream(r *adminRequest) (any, error) {
	_, _, status, err := r.upstream()
	return status, err
}

func patchUpstream(r *adminRequest) (any, error) {
	c, m, _, err := r.upstream()
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, apiError(http.StatusConflict, "the upstream %s is removed; no config has it", r.vars["address"])
	}
	var wanted adminapi.Override
	if err := r.decode(&wanted); err != nil {
		return nil, err
	}
	if wanted == (adminapi.Override{}) {
		return nil, apiError(http.StatusBadRequest, "one of state, weight, max_connections, deadline and rate must be given")
	}
	if err := checkOverride(wanted); err != nil {
		return nil, badRequest(err)
	}
	if err := c.setOverride(m.Target, wanted); err != nil {
		return nil, apiError(http.StatusConflict, "%w", err)
	}
	status := c.upstreamStatus(m)
	c.tellOf(m, upstreamSet, zap.String("state", status.State), zap.Int("weight", status.Weight), zap.Int("max_connections", status.MaxConnections))
	return status, nil
}
