package relay

import (
	"cmp"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

const (
	// halfOpenAge is for how long a connection of which one side has ended its direction must have been silent to be
	// given up when descriptors are needed: its other side may never answer.
	halfOpenAge = 5 * time.Second
	// reclaimCount is how many a loop gives up at a time.
	reclaimCount = 64
)

func init() { eventloop.OnShortage(reclaim) }

// reclaim makes room when there are no descriptors left: pipes that are not used are closed, and the half-open connections
// that have been silent for longest are reset.
func reclaim() {
	pipes.closeIdle()
	for _, l := range eventloop.All() {
		l.Post(func() { resetHalfOpen(l) })
	}
}

// resetHalfOpen resets the oldest of a loop's half-open connections.
func resetHalfOpen(l *eventloop.Loop) {
	var old []*pair
	l.Tasks(func(t *eventloop.Task) {
		if p, ok := t.Handler().(*pair); ok && p.established != nil && p.flow.HalfOpen() && l.Now()-p.flow.Active() > halfOpenAge {
			old = append(old, p)
		}
	})
	slices.SortFunc(old, func(a, b *pair) int { return cmp.Compare(a.flow.Active(), b.flow.Active()) })
	for _, p := range old[:min(len(old), reclaimCount)] {
		p.Blame()
		p.do(p.flow.Cut())
	}
}
