package names

import (
	"slices"
	"time"
)

// A Tracker decides what counts of the answers that there were: addresses, or upstreams with their settings.
type Tracker[T comparable] struct {
	compare func(a, b T) int
	entries []entry[T] // in their order
}

// An entry is what the last answer that had it made of it.
type entry[T comparable] struct {
	value T
	last  time.Duration
}

// NewTracker returns a tracker that knows nothing. Two values are the same thing, be it with other settings, if compare returns 0;
// it also tells the order in which they are returned.
func NewTracker[T comparable](compare func(a, b T) int) *Tracker[T] {
	return &Tracker[T]{compare: compare}
}

// Answer takes an answer, and reports what is new, what does not count any more since the last answer that had it is
// as long ago as the hold time, and whether anything has changed, be it a setting. Of what an answer has twice the first counts. An
// answer with nothing changes nothing.
func (t *Tracker[T]) Answer(now, hold time.Duration, answer []T) (appeared, left []T, changed bool) {
	if len(answer) == 0 {
		return nil, nil, false
	}
	answer = slices.Clone(answer)
	slices.SortStableFunc(answer, t.compare)
	answer = slices.CompactFunc(answer, func(a, b T) bool { return t.compare(a, b) == 0 })
	for _, v := range answer {
		i, known := slices.BinarySearchFunc(t.entries, v, func(e entry[T], v T) int { return t.compare(e.value, v) })
		if !known {
			appeared = append(appeared, v)
			t.entries = slices.Insert(t.entries, i, entry[T]{})
		}
		changed = changed || t.entries[i].value != v
		t.entries[i] = entry[T]{v, now}
	}
	t.entries = slices.DeleteFunc(t.entries, func(e entry[T]) bool {
		gone := now-e.last >= hold && e.last != now
		if gone {
			left = append(left, e.value)
		}
		return gone
	})
	return appeared, left, changed || len(appeared)+len(left) > 0
}

// All returns what counts, in its order.
func (t *Tracker[T]) All() []T {
	all := make([]T, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e.value)
	}
	return all
}
