package target

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// MaxWeight is the largest weight of a target.
const MaxWeight = 65535

// Config is a target with its settings in one config.
type Config struct {
	// Address is that by which the target is placed, and by which a reader knows it.
	Address Address
	// At is where the target is dialled: one address of each family at most, the IPv4 one first. If both are zero, Address tells.
	At [2]netip.AddrPort
	// Upstream is the upstream of the config to which the target belongs, if that is known by another address.
	Upstream Address
	// Weight is the target's share of the clients, up to MaxWeight. With 0 no new client is placed there.
	Weight int
	// MaxConnections is the limit of open connections; 0 means that there is none.
	MaxConnections int
	// Backup, if not 0, means that the target gets clients only while no target with a lower number is usable.
	Backup int
	// Drain means that no new client is placed there.
	Drain bool
}

// key returns the address by which the registry knows the target. It is the same for all names that stand for an address.
func (c Config) key() Address {
	if at := c.At[0]; at.IsValid() {
		return Address{Network: "tcp", Dial: at.String()}
	}
	return c.Address
}

// addrs returns where the target is dialled, or nil if its address tells.
func (c Config) addrs() []netip.AddrPort {
	switch {
	case !c.At[0].IsValid():
		return nil
	case !c.At[1].IsValid():
		return []netip.AddrPort{c.At[0]}
	}
	return c.At[:]
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

func (r *Registry) acquire(c Config) *Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := c.key()
	t := r.targets[key]
	if t == nil {
		t = newTarget(key, r.now)
		r.targets[key] = t
	}
	if addrs := c.addrs(); addrs != nil {
		t.dialAt(addrs)
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

	hash uint64 // of the address, for placement
}

// Is reports whether two members are the same target, be it in different lists of a set.
func (m *Member) Is(other *Member) bool { return m.Target == other.Target }

// Full reports whether the target has all the connections that it may have.
func (m *Member) Full() bool {
	return m.Config.MaxConnections > 0 && m.Connections() >= m.Config.MaxConnections
}

// A Set is the targets of one config with their settings. They change when the addresses do that a name stands for.
type Set struct {
	registry  *Registry
	placement *Placement
	list      atomic.Pointer[list]
	mu        sync.Mutex // is held by who changes the list
	closed    bool       // guarded by mu
}

// A list is what a Set consists of at a time. It never changes.
type list struct {
	placement *Placement
	members   []*Member // each target once, in the order of the config
	entries   []entry   // what placement chooses from, in the order of the config
	byTarget  map[*Target]*Member
	even      bool  // all weights are the same
	backups   []int // the numbers that entries have as Backup, the lowest first
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
	s := &Set{registry: r, placement: placement}
	s.list.Store(s.newList(configs, nil))
	return s
}

// newList returns a list of targets. Members that are in an older one and have the same settings are taken over.
func (s *Set) newList(configs []Config, old *list) *list {
	l := &list{placement: s.placement, byTarget: make(map[*Target]*Member, len(configs)), even: true}
	for _, c := range configs {
		t := s.registry.acquire(c)
		m := l.byTarget[t]
		if m != nil {
			s.registry.release([]*Member{m}) // it has been acquired once more
		} else {
			m = &Member{Target: t, Config: c, hash: xxhash.Sum64String(c.Address.String())}
			if old != nil {
				if before := old.byTarget[t]; before != nil && before.Config == c {
					m = before
				}
			}
			l.members = append(l.members, m)
			l.byTarget[t] = m
		}
		if c.Weight > 0 && !c.Drain {
			l.entries = append(l.entries, entry{m, c.Weight})
			l.even = l.even && c.Weight == l.entries[0].weight
			if i, known := slices.BinarySearch(l.backups, m.Config.Backup); !known {
				l.backups = slices.Insert(l.backups, i, m.Config.Backup)
			}
		}
	}
	return l
}

// Update replaces the targets. Those that stay keep their state, and the connections of those that go are not concerned.
// After Close it does nothing.
func (s *Set) Update(configs []Config) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	old := s.list.Load()
	s.list.Store(s.newList(configs, old))
	s.registry.release(old.members)
}

// Close gives the targets back to the registry. A set must be closed once.
func (s *Set) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.registry.release(s.list.Load().members)
}

// Placement returns the way in which the set places clients.
func (s *Set) Placement() *Placement { return s.placement }

// Members returns the set's targets in the order of the config. The slice must not be changed.
func (s *Set) Members() []*Member { return s.list.Load().members }

// Member returns the target as a member of this set, or nil if it is not one.
func (s *Set) Member(t *Target) *Member { return s.list.Load().byTarget[t] }
