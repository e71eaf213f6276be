package session

import (
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

const (
	// There are so many shards that two cores seldom want the same lock, and that the index of one is small enough
	// to be doubled between two connections, even in a table of millions.
	shardBits  = 8
	shardCount = 1 << shardBits

	// detached marks the hash of a session that is not in the table, see Acquire.
	detached = 1 << 31

	// reached marks the refs of a session whose client has had a connection to its target.
	reached = 1 << 31

	// moved marks the refs of a session that has left the target at which the client was placed.
	moved = 1 << 30

	// back marks the refs of a moved session whose client has come back after its last connection was released.
	back = 1 << 29

	// maxRefs is how many connections can be counted in a session. More are not possible: their sockets
	// alone would take a terabyte.
	maxRefs = back - 1

	// sliceSize is how many sessions expire while a shard is locked, some tens of microseconds.
	sliceSize = 128

	// sweepPause lets sessions that expire close together go in one sweep. It only delays the
	// freeing of memory: Acquire takes an expired session for none.
	sweepPause = 100 * time.Millisecond
)

// A Session binds a client to a target while the client has connections, and for the table's expiry after the last one
// was released. Its fields are guarded by its shard's lock.
type Session[T comparable] struct {
	client     netip.Addr
	target     T
	since      time.Duration // when the session began
	idleSince  time.Duration
	prev, next *Session[T] // neighbours on the idle list, while refs is 0
	refs       uint32      // connections, and the bits reached, moved and back
	hash       uint32      // of the client, with a bit that says whether the session is detached; never changes
}

// Client returns the address that the session belongs to.
func (s *Session[T]) Client() netip.Addr { return s.client }

// A Table maps clients to sessions. T is the type of a target; its zero value means that there is none.
// All methods may be called concurrently.
type Table[T comparable] struct {
	now      func() time.Duration
	hooks    Hooks[T]
	seed     maphash.Seed
	expiry   atomic.Int64
	capacity atomic.Int64
	size     atomic.Int64

	sweeping  sync.Mutex // held while sessions are expired or cleared
	restoring sync.Mutex // held while sessions are restored

	armed atomic.Bool // the timer is set, or a goroutine is about to set it
	timer *time.Timer // of the next session to expire

	shards    [shardCount]shard[T]
	idleSince [shardCount]atomic.Int64 // see shard.oldest
}

// New returns an empty table whose sessions live for expiry after their last connection, and that
// remembers at most capacity clients. Now is a monotonic clock.
//
// A table without idle sessions has no timer running, so a table that is no longer used needs no closing.
func New[T comparable](now func() time.Duration, expiry time.Duration, capacity int) *Table[T] {
	return NewWithHooks(now, expiry, capacity, Hooks[T]{})
}

// NewWithHooks is New for a table that tells of its changes, or that is not the only place where sessions are known.
func NewWithHooks[T comparable](now func() time.Duration, expiry time.Duration, capacity int, hooks Hooks[T]) *Table[T] {
	t := &Table[T]{now: now, hooks: hooks, seed: maphash.MakeSeed()}
	t.expiry.Store(int64(expiry))
	t.capacity.Store(int64(capacity))
	for i := range t.shards {
		t.shards[i].init(&t.idleSince[i], hooks.Observe != nil)
	}
	t.timer = time.AfterFunc(time.Hour, safely.Func("session expiry", t.expireDue))
	t.timer.Stop()
	return t
}

// SetLimits changes expiry and capacity, also for the sessions in the table. If these are more than a smaller capacity
// allows, they go when new clients come or when they expire.
func (t *Table[T]) SetLimits(expiry time.Duration, capacity int) {
	t.capacity.Store(int64(capacity))
	if old := t.expiry.Swap(int64(expiry)); old != int64(expiry) {
		t.armed.Store(true)
		t.timer.Reset(0)
	}
}

// Expiry is how long a session lives without connections.
func (t *Table[T]) Expiry() time.Duration { return time.Duration(t.expiry.Load()) }

// Len returns the number of sessions in the table.
func (t *Table[T]) Len() int { return int(t.size.Load()) }

// Acquire returns the client's session and counts one connection in it, which Release takes back. A
// client that has none, or whose session is expired, gets a new one without a target. An
// IPv4-mapped IPv6 address is the IPv4 client.
//
// When the table is full, the session that has been idle longest makes room. If none is idle, the
// returned session is detached: it serves this one connection and is not remembered.
func (t *Table[T]) Acquire(client netip.Addr) *Session[T] {
	s, _ := t.AcquireWithin(client, 0)
	return s
}

// AcquireWithin is Acquire for a client that may have limit connections at a time; 0 means that there is no limit. It
// returns false and counts nothing if the client has that many already. A detached session is not counted.
func (t *Table[T]) AcquireWithin(client netip.Addr, limit int) (*Session[T], bool) {
	client = client.Unmap()
	hash := t.hash(client)
	sh := t.shard(hash)
	s, allowed := t.reuse(sh, client, hash, limit)
	if s == nil && allowed {
		return t.create(sh, client, hash, limit)
	}
	return s, allowed
}

// reuse returns the client's session if there is one, and whether the limit allows another connection.
func (t *Table[T]) reuse(sh *shard[T], client netip.Addr, hash uint32, limit int) (s *Session[T], allowed bool) {
	sh.mu.Lock()
	s, allowed = t.unsyncedReuse(sh, sh.sessions.find(client, hash), limit)
	t.unlock(sh)
	return s, allowed
}

// Detached returns a session for one connection that the table does not remember.
func (t *Table[T]) Detached() *Session[T] {
	return &Session[T]{refs: 1, hash: rand.Uint32() | detached}
}

func (t *Table[T]) create(sh *shard[T], client netip.Addr, hash uint32, limit int) (s *Session[T], allowed bool) {
	if !t.reserve() {
		return &Session[T]{client: client, refs: 1, hash: hash | detached}, true
	}
	sh.mu.Lock()
	defer t.unlock(sh)
	if s := sh.sessions.find(client, hash); s != nil {
		t.size.Add(-1)
		return t.unsyncedReuse(sh, s, limit)
	}
	created := &Session[T]{client: client, since: t.now(), refs: 1, hash: hash}
	sh.sessions.insert(created)
	return created, true
}

// unsyncedReuse counts one more connection in a session, if there is one and the limit allows it. The shard must be
// locked.
func (t *Table[T]) unsyncedReuse(sh *shard[T], s *Session[T], limit int) (*Session[T], bool) {
	if s == nil {
		return nil, true
	}
	switch open := s.refs & maxRefs; {
	case limit > 0 && int64(open) >= int64(limit):
		return nil, false
	case open == maxRefs:
		return &Session[T]{client: s.client, refs: 1, hash: s.hash | detached}, true
	case open == 0:
		sh.unsyncedUnlist(s)
		t.unsyncedResume(sh, s)
	}
	s.refs++
	return s, true
}

// unsyncedResume continues a session that was idle, without its target if it is expired. The shard must be locked.
func (t *Table[T]) unsyncedResume(sh *shard[T], s *Session[T]) {
	var none T
	if !t.expired(s, t.now()) {
		if s.refs&moved != 0 {
			s.refs |= back
		}
		t.unsyncedNote(sh, Resumed, s, none)
		return
	}
	t.unsyncedNote(sh, Expired, s, none)
	s.target, s.since = none, t.now()
	s.refs &= maxRefs
}

// Release takes back one Acquire, after which the caller must not use the session any more. The session's expiry starts
// when the last connection is released; a session without a target is forgotten then.
func (t *Table[T]) Release(s *Session[T]) {
	if t.release(s) && !t.armed.Load() && t.armed.CompareAndSwap(false, true) {
		t.schedule()
	}
}

// release reports whether the session is idle from now on.
func (t *Table[T]) release(s *Session[T]) (idle bool) {
	sh := t.shard(s.hash)
	sh.mu.Lock()
	idle = t.unsyncedRelease(sh, s)
	t.unlock(sh)
	return idle
}

// unsyncedRelease does what release does. The shard must be locked.
func (t *Table[T]) unsyncedRelease(sh *shard[T], s *Session[T]) (idle bool) {
	if s.refs--; s.refs&maxRefs > 0 || s.hash&detached != 0 {
		return false
	}
	var none T
	if s.target == none {
		sh.unsyncedEndLookup(s)
		t.unsyncedRemove(sh, s)
		return false
	}
	s.idleSince = t.now()
	sh.unsyncedList(s)
	t.unsyncedNote(sh, Idle, s, none)
	return true
}

// hash is seeded, so that an attacker cannot choose addresses that collide.
func (t *Table[T]) hash(client netip.Addr) uint32 {
	bytes := client.As16()
	return uint32(maphash.Bytes(t.seed, bytes[:])) &^ detached
}

func (t *Table[T]) shard(hash uint32) *shard[T] {
	return &t.shards[hash%shardCount]
}

func (t *Table[T]) expired(s *Session[T], now time.Duration) bool {
	return now-s.idleSince >= time.Duration(t.expiry.Load())
}

// unsyncedEnd ends an idle session. The shard must be locked.
func (t *Table[T]) unsyncedEnd(sh *shard[T], s *Session[T], kind Kind) {
	var none T
	sh.unsyncedUnlist(s)
	t.unsyncedRemove(sh, s)
	t.unsyncedNote(sh, kind, s, none)
}

// unsyncedRemove takes a session that is not on the idle list out of the table. The shard must be locked.
func (t *Table[T]) unsyncedRemove(sh *shard[T], s *Session[T]) {
	sh.sessions.remove(s)
	t.size.Add(-1)
}
