package pooltargets

// Targets are the targets of all pools.
type Targets interface {
	// IsActive reports whether new connections may go to the pool's target with the address, which is `host:port` as in a
	// config. A target that the pool doesn't have is not active. It returns an error if there is no such pool.
	IsActive(pool, address string) (bool, error)
	// Deactivate keeps new connections away from the pool's target with the address for the pool's `deactivation_duration`, as a
	// failed dial does. If the target is not active, nothing changes. It returns an error if there is no such pool, or no such
	// target in it.
	Deactivate(pool, address string) error
}

var provided Targets

// Provide sets what Get returns.
func Provide(t Targets) { provided = t }

// Get returns the targets of all pools, or nil if nothing in this program has pools.
func Get() Targets { return provided }

// Pool are the targets of the pool of that name, in the newest config that has it. It must be asked only if Get returns them.
type Pool string

// IsActive is what Targets has, for this pool.
func (p Pool) IsActive(address string) (bool, error) { return provided.IsActive(string(p), address) }

// Deactivate is what Targets has, for this pool.
func (p Pool) Deactivate(address string) error { return provided.Deactivate(string(p), address) }
