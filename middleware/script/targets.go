package script

import (
	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// defaultPool is the pool of handlers that name none.
const defaultPool = "default"

// pools is implemented by the module sticky.targets, which a build of Caddy need not have.
type pools interface {
	IsActive(pool, address string) (bool, error)
	Deactivate(pool, address string) error
}

// poolTargets are the targets of one pool.
type poolTargets struct {
	pools pools
	name  string
}

// targetsOf returns the targets of a pool, or nil if this build of Caddy has no pools.
func targetsOf(name string) decide.Targets {
	module, err := caddy.GetModule("sticky.targets")
	if err != nil {
		return nil
	}
	return &poolTargets{module.New().(pools), name}
}

func (t *poolTargets) IsActive(address string) (bool, error) {
	return t.pools.IsActive(t.name, address)
}

func (t *poolTargets) Deactivate(address string) error { return t.pools.Deactivate(t.name, address) }
