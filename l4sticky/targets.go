package l4sticky

import (
	"errors"
	"fmt"
	"slices"

	"github.com/caddy-sticky/caddy-sticky/internal/pooltargets"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

func init() {
	pooltargets.Provide(poolTargets{})
}

// poolTargets lets middlewares look at the targets of the pools and deactivate them.
type poolTargets struct{}

func (poolTargets) IsActive(pool, address string) (bool, error) {
	_, found, err := findTargets(pool, address)
	return slices.ContainsFunc(found, isActive), err
}

// errDeactivated is the reason in the log.
var errDeactivated = errors.New("deactivated on request")

func (poolTargets) Deactivate(pool, address string) error {
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
func newestConfig(name string) *poolConfig {
	p := poolNamed(name)
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.configs); n > 0 {
		return p.configs[n-1]
	}
	return nil
}
