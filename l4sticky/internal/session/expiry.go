package session

import (
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// expireDue is called by the timer: it ends the sessions that are expired, and sets the timer again even after a panic.
func (t *Table[T]) expireDue() {
	defer t.schedule()
	safely.Reach("session expiry")
	t.expire()
}

// schedule sets the timer for the next session to expire. The caller has armed the table, which stays armed as long as
// there are idle sessions.
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
		// The release of a session that became idle before this store has found the table armed.
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

// expire ends all expired sessions, a slice of a shard at a time and the shards by turns, so that connections get the
// locks in between.
func (t *Table[T]) expire() {
	t.sweep(t.expired, Expired)
}

// Clear forgets all idle sessions.
func (t *Table[T]) Clear() {
	t.sweep(func(*Session[T], time.Duration) bool { return true }, Forgotten)
}

// sweep ends all idle sessions that are due. The kind says why.
func (t *Table[T]) sweep(due func(*Session[T], time.Duration) bool, kind Kind) {
	t.sweeping.Lock()
	defer t.sweeping.Unlock()
	now := t.now()
	for more := true; more; {
		more = false
		for i := range t.shards {
			if t.sweepSlice(&t.shards[i], now, due, kind) {
				more = true
			}
		}
	}
}

// sweepSlice ends some sessions of one shard and reports whether more may be due.
func (t *Table[T]) sweepSlice(sh *shard[T], now time.Duration, due func(*Session[T], time.Duration) bool, kind Kind) bool {
	if sh.oldest.Load() == never {
		return false
	}
	sh.mu.Lock()
	defer t.unlock(sh)
	for range sliceSize {
		s := sh.head()
		if s == nil || !due(s, now) {
			return false
		}
		t.unsyncedEnd(sh, s, kind)
	}
	return true
}
