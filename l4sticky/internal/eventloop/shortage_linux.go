package eventloop

import (
	"sync/atomic"
	"time"
)

// reclaimPause is how often room is made at most.
const reclaimPause = 100 * time.Millisecond

var (
	lastReclaim atomic.Int64
	reclaimers  []func()
)

// OnShortage has a function called when descriptors are needed. It is for the time before any loop is there.
func OnShortage(reclaim func()) { reclaimers = append(reclaimers, reclaim) }

// Reclaim makes room when there are no descriptors left.
func Reclaim() {
	now, last := clock(), lastReclaim.Load()
	if last != 0 && now-time.Duration(last) < reclaimPause || !lastReclaim.CompareAndSwap(last, int64(now)) {
		return
	}
	for _, reclaim := range reclaimers {
		reclaim()
	}
}
