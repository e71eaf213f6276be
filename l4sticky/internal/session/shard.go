package session

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// never is the idle time of a shard without idle sessions, later than all others.
const never = int64(math.MaxInt64)

// A shard is a part of the table with a lock of its own.
type shard[T comparable] struct {
	mu       sync.Mutex
	sessions index[T]
	idle     Session[T] // the ring of idle sessions, oldest first, starts and ends here

	// oldest is the time since when the first session of the ring is idle, or never. It changes with the lock
	// held and is read without, to find the oldest session of all shards. It stands beside those of the
	// others, which makes a look at all of them cheap.
	oldest *atomic.Int64

	_ [64]byte // keeps the locks of two shards in different cache lines
}

func (sh *shard[T]) init(oldest *atomic.Int64) {
	sh.oldest = oldest
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
func (sh *shard[T]) unsyncedList(s *Session[T]) {
	s.prev, s.next = sh.idle.prev, &sh.idle
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

// expireDue is the timer's function: it frees what is expired and sleeps until more will be, whatever happens.
func (t *Table[T]) expireDue() {
	defer t.schedule()
	safely.Reach("session expiry")
	t.expire()
}

// schedule sets the timer for the next session to expire. Who calls it has armed the table, which stays so
// as long as there are idle sessions.
func (t *Table[T]) schedule() {
	for {
		if oldest := t.oldest(); oldest != never {
			expiry := t.expiry.Load()
			t.timer.Reset(max(time.Duration(oldest+expiry)-t.now(), sweepPause))
			if t.expiry.Load() == expiry {
				return
			}
			continue // SetLimits may have set the timer before
		}
		t.armed.Store(false)
		// A session that became idle before this store has counted on the timer.
		if t.oldest() == never || !t.armed.CompareAndSwap(false, true) {
			return
		}
	}
}

// oldest returns the time since when the table's oldest idle session is idle.
func (t *Table[T]) oldest() int64 {
	oldest := never
	for i := range t.idleSince {
		oldest = min(oldest, t.idleSince[i].Load())
	}
	return oldest
}

// expire frees all expired sessions, a slice of a shard at a time and the shards by turns, so that
// lookups pass in between.
func (t *Table[T]) expire() {
	t.sweep(t.expired)
}

// Clear forgets all idle sessions.
func (t *Table[T]) Clear() {
	t.sweep(func(*Session[T], time.Duration) bool { return true })
}

func (t *Table[T]) sweep(due func(*Session[T], time.Duration) bool) {
	t.sweeping.Lock()
	defer t.sweeping.Unlock()
	now := t.now()
	for more := true; more; {
		more = false
		for i := range t.shards {
			if t.sweepSlice(&t.shards[i], now, due) {
				more = true
			}
		}
	}
}

// sweepSlice frees some sessions of one shard and reports whether more may be due.
func (t *Table[T]) sweepSlice(sh *shard[T], now time.Duration, due func(*Session[T], time.Duration) bool) bool {
	if sh.oldest.Load() == never {
		return false
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for range sliceSize {
		s := sh.head()
		if s == nil || !due(s, now) {
			return false
		}
		sh.unsyncedUnlist(s)
		t.unsyncedForget(sh, s)
	}
	return true
}
