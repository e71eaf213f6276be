package l4sticky

import (
	"errors"
	"fmt"
	"slices"

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
	_, found, err := findTargets(pool, address)
	return slices.ContainsFunc(found, isActive), err
}

// errDeactivated is the reason in the log.
var errDeactivated = errors.New("deactivated on request")

// Deactivate keeps new connections away from the pool's target with the address for the pool's
// `deactivation_duration`, as a failed dial does. If the target is not active, nothing changes. It returns an error if
// there is no such pool, or no such target in it.
func (*Targets) Deactivate(pool, address string) error {
	c, found, err := findTargets(pool, address)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("the pool '%s' has no target %s", pool, address)
	}
	for _, m := range found {
		c.deactivate(m, errDeactivated)
	}
	return nil
}

func isActive(m *target.Member) bool { return m.Active() }

// findTargets returns the targets with the address in the newest config that has the pool. There are several if the address
// has a name that stands for several.
func findTargets(pool, address string) (c *poolConfig, found []*target.Member, err error) {
	c = newestConfig(pool)
	if c == nil {
		return nil, nil, fmt.Errorf("there is no pool '%s'", pool)
	}
	wanted, err := dialAddress(address)
	if err != nil {
		return c, nil, err
	}
	for _, m := range c.targets.Members() {
		if m.Config.Address.Dial == wanted.Dial || m.Config.Upstream.Dial == wanted.Dial {
			found = append(found, m)
		}
	}
	return c, found, nil
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
