package l4sticky

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

func init() {
	caddy.RegisterModule(new(Targets))
}

// Targets lets other modules look at the targets of the pools and deactivate them. It is no part of a config: a module gets it
// by its ID from caddy.GetModule, so that it need not import this package.
type Targets struct{}

// CaddyModule returns the Caddy module information.
func (*Targets) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "sticky.targets",
		New: func() caddy.Module { return new(Targets) },
	}
}

// IsActive reports whether new connections may go to the pool's target with the address, which is `host:port` as in a
// config. A target that the pool doesn't have is not active. It returns an error if there is no such pool.
func (*Targets) IsActive(pool, address string) (bool, error) {
	_, m, err := findTarget(pool, address)
	return m != nil && m.Active(), err
}

// errDeactivated is the reason in the log.
var errDeactivated = errors.New("deactivated on request")

// Deactivate keeps new connections away from the pool's target with the address for the pool's
// `deactivation_duration`, as a failed dial does. If the target is not active, nothing changes. It returns an error if
// there is no such pool, or no such target in it.
func (*Targets) Deactivate(pool, address string) error {
	c, m, err := findTarget(pool, address)
	if err != nil {
		return err
	}
	if m == nil {
		return fmt.Errorf("the pool '%s' has no target %s", pool, address)
	}
	c.deactivate(m, caddy.Log().Named("sticky.targets"), errDeactivated)
	return nil
}

// findTarget returns the target with the address in the newest config that has the pool, or nil if that has no such
// target.
func findTarget(pool, address string) (*poolConfig, *target.Member, error) {
	c := newestConfig(pool)
	if c == nil {
		return nil, nil, fmt.Errorf("there is no pool '%s'", pool)
	}
	wanted, err := dialAddress(address)
	if err != nil {
		return c, nil, err
	}
	for _, m := range c.targets.Members() {
		if m.Config.Address.Dial == wanted.Dial {
			return c, m, nil
		}
	}
	return c, nil, nil
}

// newestConfig returns what the newest config makes of a pool, or nil if none has it.
func newestConfig(name string) (newest *poolConfig) {
	pools.Range(func(key, value any) bool {
		if key != name {
			return true
		}
		p := value.(*pool)
		p.mu.Lock()
		defer p.mu.Unlock()
		if n := len(p.configs); n > 0 {
			newest = p.configs[n-1]
		}
		return false
	})
	return newest
}
