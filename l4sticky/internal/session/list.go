package session

import (
	"net/netip"
	"slices"
	"time"
)

// examined is how many sessions are looked at while a shard is locked.
const examined = 128

// An Info is what a session was at a moment.
type Info[T comparable] struct {
	Client netip.Addr
	// Target is none while the first connection of the client has not got one.
	Target      T
	Connections int
	// Moved reports whether the client has left the target at which it was placed.
	Moved bool
	// Since is when the session began.
	Since time.Duration
	// IdleSince is when the last connection was released, if there are none.
	IdleSince time.Duration
}

// Live reports whether the client has connections.
func (i Info[T]) Live() bool { return i.Connections > 0 }

// A Position is a place in the order in which List goes through a table. The zero value is the beginning.
type Position struct {
	Shard int
	// After is the client that comes before the place in its shard; it is invalid at the shard's beginning.
	After netip.Addr
}

// List returns up to limit sessions from a position on that match, and the position behind the last one, or false if there are
// none behind it. A session that is in the table all the time while it is listed page by page comes once; one that comes or goes
// meanwhile may be left out. Match is called with a shard locked; it must be quick and must not use the table.
func (t *Table[T]) List(from Position, limit int, match func(Info[T]) bool) (page []Info[T], next Position, more bool) {
	for ; from.Shard < shardCount; from = (Position{Shard: from.Shard + 1}) {
		sh := &t.shards[from.Shard]
		sessions := slices.DeleteFunc(sh.all(), func(s *Session[T]) bool { return from.After.IsValid() && s.client.Compare(from.After) <= 0 })
		slices.SortFunc(sessions, func(a, b *Session[T]) int { return a.client.Compare(b.client) })
		for batch := range slices.Chunk(sessions, examined) {
			page = t.examine(sh, batch, slices.Grow(page, min(limit-len(page), len(batch))), limit, match)
			if len(page) == limit {
				return page, Position{from.Shard, page[limit-1].Client}, true
			}
		}
	}
	return page, from, false
}

// all returns the sessions of a shard at a moment.
func (sh *shard[T]) all() []*Session[T] {
	return sh.appendAll(make([]*Session[T], 0, sh.count()+examined))
}

func (sh *shard[T]) count() int {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.sessions.count
}

// appendAll appends the sessions of a shard. Room for them is best made before, while the shard is not locked.
func (sh *shard[T]) appendAll(to []*Session[T]) []*Session[T] {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, s := range sh.sessions.slots {
		if s != nil {
			to = append(to, s)
		}
	}
	return to
}

// examine appends to a page what matches among some sessions of a shard, up to a limit. It leaves out those that have ended meanwhile.
func (t *Table[T]) examine(sh *shard[T], sessions []*Session[T], page []Info[T], limit int, match func(Info[T]) bool) []Info[T] {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := t.now()
	for _, s := range sessions {
		if len(page) == limit {
			break
		}
		if info, present := t.unsyncedInfo(sh, s, now); present && match(info) {
			page = append(page, info)
		}
	}
	return page
}

// unsyncedInfo returns what a session is, and false if it has ended. The shard must be locked.
func (t *Table[T]) unsyncedInfo(sh *shard[T], s *Session[T], now time.Duration) (Info[T], bool) {
	info := s.info()
	return info, sh.sessions.find(s.client, s.hash) == s && (info.Live() || !t.expired(s, now))
}

// info returns what a session is. Its shard must be locked.
func (s *Session[T]) info() Info[T] {
	return Info[T]{Client: s.client, Target: s.target, Connections: int(s.refs & maxRefs), Moved: s.refs&moved != 0, Since: s.since, IdleSince: s.idleSince}
}

// Peek returns what a client's session is, and false if it has none. It changes nothing.
func (t *Table[T]) Peek(client netip.Addr) (Info[T], bool) {
	client = client.Unmap()
	hash := t.hash(client)
	sh := t.shard(hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	s := sh.sessions.find(client, hash)
	if s == nil {
		return Info[T]{}, false
	}
	return t.unsyncedInfo(sh, s, t.now())
}

// each calls do for the sessions that have a target, with their shards locked, of which each is free again after some of its sessions.
func (t *Table[T]) each(do func(*shard[T], *Session[T], Info[T])) {
	for i := range t.shards {
		sh := &t.shards[i]
		for batch := range slices.Chunk(sh.all(), examined) {
			t.eachOf(sh, batch, do)
		}
	}
}

// eachOf is each for some sessions of a shard. It leaves out those that have ended meanwhile.
func (t *Table[T]) eachOf(sh *shard[T], sessions []*Session[T], do func(*shard[T], *Session[T], Info[T])) {
	var none T
	sh.mu.Lock()
	defer t.unlock(sh)
	now := t.now()
	for _, s := range sessions {
		if info, present := t.unsyncedInfo(sh, s, now); present && s.target != none {
			do(sh, s, info)
		}
	}
}

// Forget ends the sessions that match and returns how many. A client that has connections is placed anew with its next one.
// Match is called as by List.
func (t *Table[T]) Forget(match func(Info[T]) bool) (forgotten int) {
	t.each(func(sh *shard[T], s *Session[T], info Info[T]) {
		if match(info) {
			forgotten++
			t.unsyncedForget(sh, s, Forgotten)
		}
	})
	return forgotten
}

// unsyncedForget ends a session that has a target. If there are connections, it goes on without one. The shard must be locked.
func (t *Table[T]) unsyncedForget(sh *shard[T], s *Session[T], kind Kind) {
	if s.refs&maxRefs == 0 {
		t.unsyncedEnd(sh, s, kind)
		return
	}
	var none T
	t.unsyncedNote(sh, Idle, s, none)
	t.unsyncedNote(sh, kind, s, none)
	s.target = none
	s.refs &= maxRefs
}

// Relocate has sessions move to where home says. Those without connections do so at once and expire as they would have; those with
// connections do so by Return, when their clients come back after the last one. Home returns none for a session that is to stay; it is
// called as match by List. Relocate returns how many have moved, and how many with connections are left.
func (t *Table[T]) Relocate(home func(Info[T]) T) (relocated, left int) {
	var none T
	t.each(func(sh *shard[T], s *Session[T], info Info[T]) {
		to := home(info)
		switch {
		case to == none || to == s.target:
		case info.Live():
			s.refs |= moved
			left++
		default:
			t.unsyncedNote(sh, Resumed, s, none)
			t.unsyncedMove(sh, s, to, Placed, Moved)
			s.refs &^= moved | back
			t.unsyncedNote(sh, Idle, s, none)
			relocated++
		}
	})
	return relocated, left
}
