package relay

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// descriptors is what all listeners and bursts share.
var descriptors budget

const (
	// A connection needs a descriptor for its client and one for its target.
	perConnection = 2
	// measurePause is how old a measurement may be. Where counting is dear it is longer.
	measurePause, longMeasurePause = 10 * time.Millisecond, time.Second
	// A part of the descriptors is kept for the rest of the process, above all for the admin endpoint, so that what a
	// flood breaks can be mended: one in reserveShare, but not fewer or more than these.
	reserveShare, minReserve, maxReserve = 32, 8, 128
)

// A budget tells whether the process has the descriptors to serve one more connection, so that none is accepted that
// cannot be served: it waits in the kernel, unharmed. All methods may be called concurrently.
type budget struct {
	room    atomic.Int64 // descriptors that may still be promised
	pending atomic.Int64 // promised to connections that have no target yet
	next    atomic.Int64 // when to measure again
}

var errNoDescriptors = fmt.Errorf("no descriptors are left but a reserve: %w", unix.EMFILE)

// admit promises descriptors to one more connection, and reports false if there are none.
func (b *budget) admit(now int64) bool {
	if now >= b.next.Load() {
		b.measure(now)
	}
	if b.room.Add(-perConnection) < 0 {
		b.room.Add(perConnection)
		return false
	}
	b.pending.Add(1)
	return true
}

// connected is told that a connection has its target.
func (b *budget) connected() { b.pending.Add(-1) }

// release takes back the promise to a connection, which may never have had a target.
func (b *budget) release(pending bool) {
	b.room.Add(perConnection)
	if pending {
		b.pending.Add(-1)
	}
}

// take is admit for a pipe, which a connection can do without.
func (b *budget) take(now int64) bool {
	if now >= b.next.Load() {
		b.measure(now)
	}
	if b.room.Add(-perConnection) < 0 {
		b.room.Add(perConnection)
		return false
	}
	return true
}

// measure looks how many descriptors there are.
func (b *budget) measure(now int64) {
	var limit unix.Rlimit
	open, pause := countDescriptors()
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || open < 0 {
		b.room.Store(1 << 40) // it is not known, and accepting itself will tell
		b.next.Store(now + int64(longMeasurePause))
		return
	}
	most := int64(min(limit.Cur, 1<<40))
	reserve := min(max(most/reserveShare, minReserve), maxReserve)
	b.room.Store(most - reserve - open - b.pending.Load())
	b.next.Store(now + int64(pause))
}

// countDescriptors returns how many descriptors are open, or -1, and for how long the count is good enough. Linux 6.2
// and later tell it as the size of a folder.
func countDescriptors() (open int64, pause time.Duration) {
	const folder = "/proc/self/fd"
	var stat unix.Stat_t
	if unix.Stat(folder, &stat) == nil && stat.Size > 0 {
		return stat.Size, measurePause
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return -1, longMeasurePause
	}
	return int64(len(entries)), longMeasurePause
}

// A promise is what a connection has of the budget of descriptors.
type promise uint8

const (
	promised promise = 1 << iota // has been admitted
	pending                      // has no target yet
)

// release gives the promise back.
func (p *promise) release() {
	if *p&promised != 0 {
		descriptors.release(*p&pending != 0)
	}
	*p = 0
}

// connected notes that the connection has its target.
func (p *promise) connected() {
	if *p&pending != 0 {
		*p &^= pending
		descriptors.connected()
	}
}
