package session

import (
	"math"
	"sync"
	"sync/atomic"
)

// never is the idle time of a shard without idle sessions, later than all others.
const never = int64(math.MaxInt64)

// A shard is a part of the table with a lock of its own.
type shard[T comparable] struct {
	mu       sync.Mutex
	sessions index[T]
	idle     Session[T] // the ring of idle sessions, oldest first, starts and ends here

	// oldest is the time since when the first session of the ring is idle, or never. It changes with the lock
	// held and is read without, to find the oldest session of all shards. The times of all shards lie side by side
	// in memory, which makes a look at all of them cheap.
	oldest *atomic.Int64

	outbox *outbox[T] // nil while nothing is observed or looked up

	_ [64]byte // keeps the locks of two shards in different cache lines
}

func (sh *shard[T]) init(oldest *atomic.Int64, observed bool) {
	sh.oldest = oldest
	if observed {
		sh.outbox = new(outbox[T])
	}
	sh.idle.prev, sh.idle.next = &sh.idle, &sh.idle
	sh.oldest.Store(never)
}

// head returns the session that has been idle longest, or nil. The shard must be locked.
func (sh *shard[T]) head() *Session[T] {
	if sh.idle.next == &sh.idle {
		return nil
	}
	return sh.idle.next
}

// unsyncedList appends a session to the idle list. The shard must be locked.
func (sh *shard[T]) unsyncedList(s *Session[T]) { sh.unsyncedListBehind(sh.idle.prev, s) }

// unsyncedListBehind puts a session into the idle list behind another one, or at its beginning behind &sh.idle. The shard must be locked.
func (sh *shard[T]) unsyncedListBehind(other, s *Session[T]) {
	s.prev, s.next = other, other.next
	s.prev.next, s.next.prev = s, s
	sh.unsyncedNoteOldest()
}

// unsyncedUnlist takes a session from the idle list. The shard must be locked.
func (sh *shard[T]) unsyncedUnlist(s *Session[T]) {
	s.prev.next, s.next.prev = s.next, s.prev
	s.prev, s.next = nil, nil
	sh.unsyncedNoteOldest()
}

func (sh *shard[T]) unsyncedNoteOldest() {
	since := never
	if s := sh.head(); s != nil {
		since = int64(s.idleSince)
	}
	if sh.oldest.Load() != since {
		sh.oldest.Store(since)
	}
}

// widen has the index make room for more sessions. It makes its memory while the shard is not locked.
func (sh *shard[T]) widen(more int) {
	size, wider := sh.roomFor(more)
	if !wider {
		return
	}
	slots := make([]*Session[T], size)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if len(sh.sessions.slots) < size {
		sh.sessions.moveTo(slots)
	}
}

// roomFor returns how many slots the index needs for more sessions, and whether it has fewer.
func (sh *shard[T]) roomFor(more int) (slots int, wider bool) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	slots = sh.sessions.slotsFor(sh.sessions.count + more)
	return slots, more > 0 && slots > len(sh.sessions.slots)
}
