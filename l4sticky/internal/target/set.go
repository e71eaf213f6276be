package target

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// A Registry holds the live targets of a pool by their address, so that a target keeps its state while
// sets come and go.
type Registry struct {
	now func() time.Duration

	mu      sync.Mutex
	targets map[Address]*Target
	sets    map[*Set]struct{} // that are open
	gone    [2]int64          // bytes of targets that are forgotten
}

// NewRegistry returns an empty registry. Now is a monotonic clock.
func NewRegistry(now func() time.Duration) *Registry {
	return &Registry{now: now, targets: make(map[Address]*Target), sets: make(map[*Set]struct{})}
}

// unsyncedAcquire returns the target of an address for one more set. One that appears beside others has returned. The lock
// must be held.
func (r *Registry) unsyncedAcquire(c Config, first bool) *Target {
	key := c.key()
	t := r.targets[key]
	if t == nil {
		t = newTarget(key, r.now)
		t.wake = r.Wake
		r.targets[key] = t
		if !first {
			t.returned.Store(int64(r.now()))
		}
	}
	if addrs := c.addrs(); addrs != nil {
		t.dialAt(addrs)
	}
	t.users++
	return t
}

// unsyncedRelease takes the members of a set out of use. It also forgets every target that no set holds, that is
// empty, and for which nothing is set; one that is not is forgotten when another set changes. The lock must be held.
func (r *Registry) unsyncedRelease(members []*Member) {
	for _, m := range members {
		if m.users--; m.users == 0 {
			m.removed.Store(int64(r.now()))
		}
	}
	for address, t := range r.targets {
		if t.users == 0 && t.Empty() && t.Control(Operator) == (Control{}) {
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

// MaxConnections returns the limit of open connections; 0 means that there is none.
func (m *Member) MaxConnections() int {
	return m.controls.Load().maxConnections(m.Config.MaxConnections)
}

// Weight returns the target's share of the clients. With 0 no new client is placed there. In a set with a slow start the share
// of a target that has returned is smaller for a while.
func (m *Member) Weight() int { return m.controls.Load().weight(m.Config.Weight) }

// Drains reports whether no new client is placed at the target, whatever its health.
func (m *Member) Drains() bool { return m.Config.Drain || m.Mode() != Serve || m.Weight() == 0 }

// Full reports whether the target has all the connections that it may have, or others wait for their turn.
func (m *Member) Full() bool {
	limit := m.MaxConnections()
	return limit > 0 && (m.Connections() >= limit || m.queue.length.Load() > 0)
}

// A Set is the targets of one config with their settings. They change when the addresses do that a name stands for.
type Set struct {
	registry  *Registry
	placement *Placement
	slowStart time.Duration
	list      atomic.Pointer[list] // changes with the registry's lock held
	closed    bool                 // guarded by the registry's lock
}

// A list is what a Set consists of at a time. It never changes.
type list struct {
	set      *Set
	members  []*Member // each target once, in the order of the config
	lines    []line    // of the config, in its order
	byTarget map[*Target]*Member
	entries  []entry // what placement chooses from, in the order of the config
	even     bool    // all weights are the same
	backups  []int   // the numbers that entries have as Backup, the lowest first
}

// A line is one of the config. With a placement that takes duplicates, a target may have several.
type line struct {
	member *Member
	Config
}

// An entry is a line of whose target new clients get their share.
type entry struct {
	member *Member
	weight int
}

// NewSet returns a set of the registry's targets. An address that comes more than once has the settings
// of its first, and the weights of all, each at its place. A target that appears beside others, or returns, gets its share of new
// clients gradually, over the time of the slow start; with 0 it gets it at once. Close must be called when the set is not
// used any more.
func NewSet(r *Registry, placement *Placement, slowStart time.Duration, configs []Config) *Set {
	s := &Set{registry: r, placement: placement, slowStart: slowStart}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets[s] = struct{}{}
	s.list.Store(s.unsyncedList(configs, new(list)))
	return s
}

// unsyncedList returns a list of targets. Members that are in an older one and have the same settings are taken over. The
// registry's lock must be held.
func (s *Set) unsyncedList(configs []Config, old *list) *list {
	l := &list{set: s, byTarget: make(map[*Target]*Member, len(configs))}
	first := len(s.registry.targets) == 0
	for _, c := range configs {
		t := s.registry.unsyncedAcquire(c, first)
		m := l.byTarget[t]
		if m != nil {
			t.users-- // it has been acquired once more
		} else {
			m = &Member{Target: t, Config: c, hash: xxhash.Sum64String(c.Address.String())}
			if before := old.byTarget[t]; before != nil && before.Config == c {
				m = before
			}
			l.members = append(l.members, m)
			l.byTarget[t] = m
		}
		l.lines = append(l.lines, line{m, c})
	}
	l.enter()
	return l
}

// enter makes entries of the lines.
func (l *list) enter() {
	l.even = true
	for _, of := range l.lines {
		weight := of.member.controls.Load().weight(of.Weight)
		if weight > 0 && !of.Drain && of.member.Mode() == Serve {
			l.add(of.member, weight)
			l.even = l.even && weight == l.entries[0].weight
		}
	}
}

// add makes an entry of a member.
func (l *list) add(m *Member, weight int) {
	l.entries = append(l.entries, entry{m, weight})
	if i, known := slices.BinarySearch(l.backups, m.Config.Backup); !known {
		l.backups = slices.Insert(l.backups, i, m.Config.Backup)
	}
}

// Update replaces the targets. Those that stay keep their state, and the connections of those that go are not concerned.
// After Close it does nothing.
func (s *Set) Update(configs []Config) {
	before := s.update(configs)
	for _, m := range before.members {
		if s.Member(m.Target) == nil {
			m.wakeQueue()
		}
	}
	if slices.ContainsFunc(s.Members(), func(m *Member) bool { return before.byTarget[m.Target] != m }) {
		s.registry.Wake()
	}
}

// update returns what there was before.
func (s *Set) update(configs []Config) (before *list) {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	if s.closed {
		return s.list.Load()
	}
	old := s.list.Load()
	s.list.Store(s.unsyncedList(configs, old))
	s.registry.unsyncedRelease(old.members)
	return old
}

// unsyncedRefresh takes what is set for the targets into account. The registry's lock must be held.
func (s *Set) unsyncedRefresh() {
	l := *s.list.Load()
	l.entries, l.backups = nil, nil
	l.enter()
	s.list.Store(&l)
}

// Close gives the targets back to the registry. A set must be closed once.
func (s *Set) Close() {
	s.registry.mu.Lock()
	defer s.registry.mu.Unlock()
	s.closed = true
	delete(s.registry.sets, s)
	s.registry.unsyncedRelease(s.list.Load().members)
}

// Placement returns the way in which the set places clients.
func (s *Set) Placement() *Placement { return s.placement }

// Members returns the set's targets in the order of the config. The slice must not be changed.
func (s *Set) Members() []*Member { return s.list.Load().members }

// Member returns the target as a member of this set, or nil if it is not one.
func (s *Set) Member(t *Target) *Member { return s.list.Load().byTarget[t] }
