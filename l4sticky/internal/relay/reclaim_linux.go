package relay

import (
	"slices"
	"sync/atomic"
	"time"
)

const (
	// halfOpenAge is for how long a connection of which one side has ended its direction must have been silent to be
	// given up when descriptors are needed: its other side may never answer.
	halfOpenAge = 5 * time.Second
	// reclaimPause is how often such connections are looked for, and reclaimCount how many a loop gives up at a time.
	reclaimPause = 100 * time.Millisecond
	reclaimCount = 64
)

var lastReclaim atomic.Int64

// reclaim makes room when there are no descriptors left: pipes that nobody uses are closed, and the half-open connections
// that have been silent for longest are reset.
func reclaim() {
	now, last := clock(), lastReclaim.Load()
	if last != 0 && now-last < int64(reclaimPause) || !lastReclaim.CompareAndSwap(last, now) {
		return
	}
	pipes.closeIdle()
	for _, l := range allLoops() {
		l.post(l.resetHalfOpen)
	}
}

// resetHalfOpen resets the oldest of the loop's half-open connections.
func (l *Loop) resetHalfOpen() {
	var old []*pair
	for _, p := range l.slots {
		if p != nil && p.line != nil && p.flows[up].done != p.flows[down].done && l.now-p.active > int64(halfOpenAge) {
			old = append(old, p)
		}
	}
	slices.SortFunc(old, func(a, b *pair) int { return int(min(max(a.active-b.active, -1), 1)) })
	for _, p := range old[:min(len(old), reclaimCount)] {
		l.current = p
		l.cut(p)
	}
}
