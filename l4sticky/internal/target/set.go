package target

import (
	"slices"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// MaxWeight is the largest weight of a target.
const MaxWeight = 65535

// Config is a target's address with its settings in one config.
type Config struct {
	Address Address
	// Weight is the target's share of the clients, from 1 to MaxWeight.
	Weight int
	// MaxConnections is the limit of open connections; 0 means that there is none.
	MaxConnections int
	// Backup means that the target gets clients only while no other target is usable.
	Backup bool
}

// A Registry holds the live targets of a pool by their address, so that a target keeps its state while
// sets come and go.
type Registry struct {
	now func() time.Duration

	mu      sync.Mutex
	targets map[Address]*Target
	gone    [2]int64 // bytes of targets that are forgotten
}

// NewRegistry returns an empty registry. Now is a monotonic clock.
func NewRegistry(now func() time.Duration) *Registry {
	return &Registry{now: now, targets: make(map[Address]*Target)}
}

func (r *Registry) acquire(address Address) *Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.targets[address]
	if t == nil {
		t = newTarget(address, r.now)
		r.targets[address] = t
	}
	t.users++
	return t
}

// release takes the members of a closed set out of use. It also forgets every target that no set holds and that has no
// connections; one that still has some is forgotten when another set is closed.
func (r *Registry) release(members []*Member) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range members {
		m.users--
	}
	for address, t := range r.targets {
		if t.users == 0 && t.Connections() == 0 {
			for from := range r.gone {
				r.gone[from] += t.Bytes.Bytes(flow.Side(from))
			}
			delete(r.targets, address)
		}
	}
}

// Bytes returns what was delivered from a side by the connections of all targets, also of those that are forgotten.
func (r *Registry) Bytes(from flow.Side) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	sum := r.gone[from]
	for _, t := range r.targets {
		sum += t.Bytes.Bytes(from)
	}
	return sum
}

// A Member is a target with its settings in one set.
type Member struct {
	*Target
	Config Config
}

// Full reports whether the target has all the connections that it may have.
func (m *Member) Full() bool {
	return m.Config.MaxConnections > 0 && m.Connections() >= m.Config.MaxConnections
}

// A Set is the targets of one config with their settings. It never changes.
type Set struct {
	registry  *Registry
	placement *Placement
	members   []*Member // each target once, in the order of the config
	entries   []entry   // what placement chooses from, in the order of the config
	byTarget  map[*Target]*Member
	even      bool // all weights are the same
}

// An entry is one line of the config. With a placement that takes duplicates, a target may have several.
type entry struct {
	member *Member
	weight int
}

// NewSet returns a set of the registry's targets. An address that comes more than once has the settings
// of its first, and the weights of all, each at its place. Close must be called when the set is not
// used any more.
func NewSet(r *Registry, placement *Placement, configs []Config) *Set {
	s := &Set{registry: r, placement: placement, byTarget: make(map[*Target]*Member), even: true}
	for _, c := range configs {
		i := slices.IndexFunc(s.members, func(m *Member) bool { return m.Config.Address == c.Address })
		if i < 0 {
			i = len(s.members)
			m := &Member{Target: r.acquire(c.Address), Config: c}
			s.members = append(s.members, m)
			s.byTarget[m.Target] = m
		}
		s.entries = append(s.entries, entry{s.members[i], c.Weight})
		s.even = s.even && c.Weight == configs[0].Weight
	}
	return s
}

// Close gives the targets back to the registry. A set must be closed once.
func (s *Set) Close() { s.registry.release(s.members) }

// Placement returns the way in which the set places clients.
func (s *Set) Placement() *Placement { return s.placement }

// Members returns the set's targets in the order of the config. The slice must not be changed.
func (s *Set) Members() []*Member { return s.members }

// Member returns the target as a member of this set, or nil if it is not one.
func (s *Set) Member(t *Target) *Member { return s.byTarget[t] }
