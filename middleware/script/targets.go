package script

import (
	"github.com/caddy-sticky/caddy-sticky/internal/pooltargets"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// defaultPool is the pool of handlers that name none.
const defaultPool = "default"

// poolTargets are the targets of one pool.
type poolTargets struct {
	pools pooltargets.Targets
	name  string
}

// targetsOf returns the targets of a pool, or nil if this build of Caddy has no pools.
func targetsOf(name string) decide.Targets {
	pools := pooltargets.Get()
	if pools == nil {
		return nil
	}
	return &poolTargets{pools, name}
}

func (t *poolTargets) IsActive(address string) (bool, error) {
	return t.pools.IsActive(t.name, address)
}

func (t *poolTargets) Deactivate(address string) error { return t.pools.Deactivate(t.name, address) }
