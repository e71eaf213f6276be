package names

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

const (
	// MinPause is the time between two look-ups of a name, also if more are asked for.
	MinPause = time.Second
	// LookupTimeout is how long a look-up may take.
	LookupTimeout = 5 * time.Second
	// together is the time between the moments at which look-ups begin that are due. Those of a thousand names take a
	// fraction of the processor's time if it is not woken for each.
	together = 250 * time.Millisecond
)

var started = time.Now()

// ErrNoAddress is the error of an answer without an address.
var ErrNoAddress = errors.New("the answer has no address")

// Times are the settings of a Watch.
type Times struct {
	// Interval is the time between two look-ups.
	Interval time.Duration
	// Hold is how long a thing counts after the last answer that had it.
	Hold time.Duration
}

// Events are what a Watch tells.
type Events[T comparable] struct {
	// Changed is called with all that counts when that has changed.
	Changed func(all, appeared, left []T)
	// Failed is called after each look-up that failed, and before Changed if it has found something all the same.
	Failed func(err error)
}

// A Waiter is woken when a look-up is over.
type Waiter interface{ Wake() }

// A Watch looks a thing up again and again: a name, which has addresses, or what else has a list.
type Watch[T comparable] struct {
	lookup  func(context.Context) ([]T, error)
	compare func(a, b T) int
	events  Events[T]
	cancel  context.CancelFunc
	kick    chan struct{}
	first   chan struct{} // closed after the first look-up

	mu      sync.Mutex
	times   Times
	waiters []Waiter
	all     []T
	looked  time.Time // when the last look-up was over
	closed  bool
}

// NewWatch begins to look a thing up. Two values of answers are the same, be it with other settings, if compare returns 0.
func NewWatch[T comparable](times Times, compare func(a, b T) int, lookup func(context.Context) ([]T, error), events Events[T]) *Watch[T] {
	w := &Watch[T]{lookup: lookup, compare: compare, events: events, times: times, kick: make(chan struct{}, 1), first: make(chan struct{})}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go safely.Do("names", func() { w.run(ctx) })
	return w
}

// Close ends the look-ups.
func (w *Watch[T]) Close() { w.cancel() }

// SetTimes changes the settings.
func (w *Watch[T]) SetTimes(times Times) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.times = times
}

// First returns a channel that is closed after the first look-up, whatever its outcome.
func (w *Watch[T]) First() <-chan struct{} { return w.first }

// All returns what counts, or nil if no look-up has found anything yet.
func (w *Watch[T]) All() []T {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all
}

// Refresh has it looked up soon, and wakes the waiter, if it is not nil, when that is done. It reports false, and
// wakes nothing, if the watch is closed, or if the waiter need not wait since that was done a moment ago.
func (w *Watch[T]) Refresh(waiter Waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || waiter != nil && w.unsyncedMinPause() > 0 {
		return false
	}
	if waiter != nil {
		w.waiters = append(w.waiters, waiter)
	}
	select {
	case w.kick <- struct{}{}:
	default:
	}
	return true
}

func (w *Watch[T]) run(ctx context.Context) {
	defer w.end()
	tracker := NewTracker(w.compare)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for first := true; ; first = false {
		safely.Do("names", func() { w.look(ctx, tracker) })
		w.setLooked()
		if first {
			close(w.first)
		}
		pause.Reset(nextLook(w.settings().Interval))
		select {
		case <-pause.C:
			continue
		case <-w.kick:
		case <-ctx.Done():
			return
		}
		pause.Reset(w.minPause())
		select {
		case <-pause.C:
		case <-ctx.Done():
			return
		}
	}
}

// nextLook returns the time until the next look-up. The jitter spreads the look-ups of many names, which began together, over
// the interval.
func nextLook(interval time.Duration) time.Duration {
	wait := interval + rand.N(interval/10+1) - interval/20
	late := (time.Since(started) + wait) % together
	return max(wait-late, MinPause)
}

// setLooked notes that a look-up is over.
func (w *Watch[T]) setLooked() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = time.Now()
}

// minPause returns how long no look-up may begin.
func (w *Watch[T]) minPause() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unsyncedMinPause()
}

// unsyncedMinPause needs the lock.
func (w *Watch[T]) unsyncedMinPause() time.Duration { return MinPause - time.Since(w.looked) }

func (w *Watch[T]) settings() Times {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.times
}

// look makes one look-up.
func (w *Watch[T]) look(ctx context.Context, tracker *Tracker[T]) {
	defer w.wake()
	safely.Reach("names")
	select {
	case <-w.kick: // this is the look-up that was asked for
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, LookupTimeout)
	defer cancel()
	answer, err := w.lookup(ctx)
	if errors.Is(context.Cause(ctx), context.Canceled) {
		return
	}
	if err == nil && len(answer) == 0 {
		err = ErrNoAddress
	}
	if err != nil {
		w.events.Failed(err)
	}
	appeared, left, changed := tracker.Answer(time.Since(started), w.settings().Hold, answer)
	if !changed {
		return
	}
	all := tracker.All()
	w.mu.Lock()
	w.all = all
	w.mu.Unlock()
	w.events.Changed(all, appeared, left)
}

// end wakes the waiters for the last time.
func (w *Watch[T]) end() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.wake()
}

// wake wakes the waiters.
func (w *Watch[T]) wake() {
	w.mu.Lock()
	waiters := w.waiters
	w.waiters = nil
	w.mu.Unlock()
	for _, one := range waiters {
		safely.Do("waking a waiter for a name", one.Wake)
	}
}
