package session

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// A model does what a table does with few clients, in the plainest way. It keeps no order by itself: two sessions must
// not become idle at the same time.
type model struct {
	now      time.Duration
	capacity int
	sessions map[netip.Addr]*modelled
	events   []Event[string]
	woken    []int
}

// A modelled is a session in the model.
type modelled struct {
	client    netip.Addr
	target    string
	reached   bool
	moved     bool
	back      bool
	detached  bool
	refs      int
	idleSince time.Duration
	lookup    *modelledLookup
}

type modelledLookup struct {
	answered bool
	waiters  []int
}

func (m *model) tell(kind Kind, s *modelled, previous string) {
	if !s.detached {
		m.events = append(m.events, Event[string]{kind, s.client, s.target, previous})
	}
}

func (m *model) expired(s *modelled) bool { return m.now-s.idleSince >= expiry }

func (m *model) acquire(client netip.Addr) *modelled {
	s := m.sessions[client]
	switch {
	case s == nil && len(m.sessions) >= m.capacity && !m.evict():
		return &modelled{client: client, detached: true, refs: 1}
	case s == nil:
		s = &modelled{client: client}
		m.sessions[client] = s
	case s.refs == 0 && m.expired(s):
		m.tell(Expired, s, "")
		s.target, s.reached, s.moved, s.back = "", false, false, false
	case s.refs == 0:
		s.back = s.moved
		m.tell(Resumed, s, "")
	}
	s.refs++
	return s
}

func (m *model) evict() bool {
	var oldest *modelled
	for _, s := range m.sessions {
		if s.refs == 0 && (oldest == nil || s.idleSince < oldest.idleSince) {
			oldest = s
		}
	}
	if oldest != nil {
		m.end(oldest, Evicted)
	}
	return oldest != nil
}

func (m *model) end(s *modelled, kind Kind) {
	m.tell(kind, s, "")
	delete(m.sessions, s.client)
}

// sweep ends all idle sessions that are due, the oldest first.
func (m *model) sweep(due func(*modelled) bool, kind Kind) {
	var idle []*modelled
	for _, s := range m.sessions {
		if s.refs == 0 && due(s) {
			idle = append(idle, s)
		}
	}
	slices.SortFunc(idle, func(a, b *modelled) int { return int(a.idleSince - b.idleSince) })
	for _, s := range idle {
		m.end(s, kind)
	}
}

func (m *model) release(s *modelled) {
	if s.refs--; s.refs > 0 || s.detached {
		return
	}
	if s.target == "" {
		m.endLookup(s)
		delete(m.sessions, s.client)
		return
	}
	s.idleSince = m.now
	m.tell(Idle, s, "")
}

func (m *model) settle(s *modelled, usable, place string) string {
	if s.target != "" && s.target == usable {
		return s.target
	}
	if place != "" {
		m.move(s, place, Placed)
	}
	return place
}

func (m *model) reach(s *modelled, target string) bool {
	if s.target != target && s.reached {
		return false
	}
	m.move(s, target, Placed)
	s.reached = true
	return true
}

func (m *model) move(s *modelled, target string, first Kind) {
	previous := s.target
	if target == previous {
		return
	}
	s.target, s.reached = target, false
	if previous != "" {
		s.moved = true
		m.tell(Moved, s, previous)
		return
	}
	m.tell(first, s, "")
	m.endLookup(s)
}

func (m *model) goHome(s *modelled, home string) string {
	if !s.back {
		return ""
	}
	s.back = false
	if home != "" && home != s.target {
		m.move(s, home, Placed)
		s.moved = false
	}
	return home
}

// forget ends the session of a client that is listed.
func (m *model) forget(client netip.Addr) int {
	s := m.sessions[client]
	if s == nil || s.target == "" || s.refs == 0 && m.expired(s) {
		return 0
	}
	m.drop(s, Forgotten)
	return 1
}

// drop ends a session that has a target, or has it go on without one.
func (m *model) drop(s *modelled, kind Kind) {
	if s.refs == 0 {
		m.end(s, kind)
		return
	}
	m.tell(Idle, s, "")
	m.tell(kind, s, "")
	s.target, s.reached, s.moved, s.back = "", false, false, false
}

// follow has the session of a client do what was done elsewhere.
func (m *model) follow(client netip.Addr, target string) bool {
	s := m.sessions[client]
	switch {
	case s == nil || s.target == "":
		return target == ""
	case s.refs == 0 && m.expired(s):
		return false
	case target == "":
		m.drop(s, Dropped)
		return true
	case s.refs == 0 && s.target != target:
		previous := s.target
		s.target, s.reached, s.moved = target, false, true
		m.tell(Followed, s, previous)
	}
	return s.target == target
}

// relocate has the session of a client move, if it is idle, or when its client comes back.
func (m *model) relocate(client netip.Addr, to string) (relocated, left int) {
	s := m.sessions[client]
	switch {
	case s == nil || s.target == "" || s.target == to || s.refs == 0 && m.expired(s):
	case s.refs > 0:
		s.moved = true
		return 0, 1
	default:
		m.tell(Resumed, s, "")
		m.move(s, to, Placed)
		s.moved, s.back = false, false
		m.tell(Idle, s, "")
		return 1, 0
	}
	return 0, 0
}

// restore puts idle sessions in, the newest first.
func (m *model) restore(infos ...Info[string]) (restored int) {
	m.sweep(m.expired, Expired)
	for _, i := range infos {
		if m.sessions[i.Client] != nil || len(m.sessions) >= m.capacity {
			continue
		}
		s := &modelled{client: i.Client, target: i.Target, reached: true, moved: i.Moved, idleSince: i.IdleSince}
		m.sessions[i.Client] = s
		m.tell(Restored, s, "")
		restored++
	}
	return restored
}

// await returns the lookup that has to be asked for, if there is one.
func (m *model) await(s *modelled, waiter int) (waits bool, asked *modelledLookup) {
	if s.detached || s.target != "" || s.lookup != nil && s.lookup.answered {
		return false, nil
	}
	if s.lookup == nil {
		s.lookup = new(modelledLookup)
		asked = s.lookup
	}
	s.lookup.waiters = append(s.lookup.waiters, waiter)
	return true, asked
}

func (m *model) answer(s *modelled, l *modelledLookup, target string) {
	switch {
	case s.lookup != l || l.answered:
	case target != "":
		m.move(s, target, Found)
		s.reached = true
	default:
		l.answered = true
		m.wake(l)
	}
}

func (m *model) endLookup(s *modelled) {
	if s.lookup != nil {
		m.wake(s.lookup)
		s.lookup = nil
	}
}

func (m *model) wake(l *modelledLookup) {
	m.woken = append(m.woken, l.waiters...)
	l.waiters = nil
}

// A replica is what the events of a table tell about it. It is not locked: events must not come at the same time.
type replica struct {
	stays map[netip.Addr]stay
	fault error // the first event that makes no sense
}

// A stay is a session as it can be known from outside.
type stay struct {
	target string
	idle   bool
}

func (r *replica) observe(e Event[string]) {
	if r.stays == nil {
		r.stays = make(map[netip.Addr]stay)
	}
	s, present := r.stays[e.Client]
	moves := e.Kind == Moved || e.Kind == Followed
	switch {
	case present == (e.Kind <= Restored),
		moves && (s.target != e.Previous || s.target == e.Target),
		e.Kind > Followed && s.target != e.Target,
		!moves && e.Previous != "",
		s.idle == (e.Kind == Idle || e.Kind == Moved) && present,
		e.Target == "":
		if r.fault == nil {
			r.fault = fmt.Errorf("%v after %+v, present: %v", e, s, present)
		}
	}
	if e.Kind.Ended() {
		delete(r.stays, e.Client)
		return
	}
	r.stays[e.Client] = stay{e.Target, e.Kind == Idle || e.Kind == Followed || e.Kind == Restored}
}

// stays returns the sessions of so many clients that have a target.
func stays(t *Table[string], clients int) map[netip.Addr]stay {
	all := make(map[netip.Addr]stay)
	for n := range clients {
		client := addr(n)
		sh := t.shard(t.hash(client))
		sh.mu.Lock()
		if s := sh.sessions.find(client, t.hash(client)); s != nil && s.target != "" {
			all[client] = stay{s.target, s.refs&maxRefs == 0}
		}
		sh.mu.Unlock()
	}
	return all
}
