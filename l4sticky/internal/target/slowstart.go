package target

import (
	"math"
	"time"
)

// never is a time long before all others.
const never = math.MinInt64 / 2

// leastShare is the share of its weight that a target has at the beginning of a slow start, so that it gets clients at all.
const leastShare = 0.01

// unsyncedReturn ends a deactivation. If its time was over before, the target has returned then. The lock must be held.
func (t *Target) unsyncedReturn() {
	t.returned.Store(min(int64(t.now()), t.inactiveUntil.Load()))
	t.inactiveUntil.Store(0)
}

// Returned returns how long ago the target began to get clients again, be it since it was added, since it accepts again or since
// its maintenance is over. It is a very long time for one that was there from the beginning.
func (t *Target) Returned() time.Duration {
	now := t.now()
	return now - t.returnedAt(now)
}

// returnedAt returns when the target began to get clients again, as it is known now, or never.
func (t *Target) returnedAt(now time.Duration) time.Duration {
	returned := t.returned.Load()
	if until := t.inactiveUntil.Load(); until != 0 && until <= int64(now) {
		returned = max(returned, until)
	}
	return time.Duration(returned)
}

// share returns which part of its weight a target has that may be in its slow start, from above 0 to 1.
func (s *Set) share(t *Target) float64 {
	if s.slowStart == 0 {
		return 1
	}
	return min(1, max(leastShare, float64(t.Returned())/float64(s.slowStart)))
}

// starting reports whether any target of the list is in its slow start.
func (l *list) starting() bool {
	if l.set.slowStart == 0 {
		return false
	}
	for _, m := range l.members {
		if m.Returned() < l.set.slowStart {
			return true
		}
	}
	return false
}
