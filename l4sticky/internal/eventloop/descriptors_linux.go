package eventloop

import (
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Descriptors is the budget that all listeners and pipes of the process share.
var Descriptors Budget

const (
	// A connection needs a descriptor for its client and one for its target.
	perConnection = 2
	// measurePause is how old a measurement may be. Where counting is dear it is longer.
	measurePause, longMeasurePause = 10 * time.Millisecond, time.Second
	// A part of the descriptors is kept for the rest of the process, above all for the admin endpoint, so that what a
	// flood breaks can be mended: one in reserveShare, but not fewer or more than these.
	reserveShare, minReserve, maxReserve = 32, 8, 128
)

// A Budget tells whether the process has the descriptors to serve one more connection, so that none is accepted that
// cannot be served: it waits in the kernel, unharmed. All methods may be called concurrently.
type Budget struct {
	room    atomic.Int64 // descriptors that may still be promised
	pending atomic.Int64 // promised to connections that have no target yet
	next    atomic.Int64 // when to measure again
}

// ErrNoDescriptors tells that no connection can be accepted now.
var ErrNoDescriptors = fmt.Errorf("no descriptors are left but a reserve: %w", unix.EMFILE)

// Admit promises descriptors to one more connection, and reports false if there are none.
func (b *Budget) Admit(now time.Duration) bool {
	if int64(now) >= b.next.Load() {
		b.measure(now)
	}
	if b.room.Add(-perConnection) < 0 {
		b.room.Add(perConnection)
		return false
	}
	b.pending.Add(1)
	return true
}

// Connected is told that a connection has its target.
func (b *Budget) Connected() { b.pending.Add(-1) }

// Release takes back the promise to a connection, which may never have had a target.
func (b *Budget) Release(pending bool) {
	b.room.Add(perConnection)
	if pending {
		b.pending.Add(-1)
	}
}

// Take is Admit for a pipe, which a connection can do without.
func (b *Budget) Take(now time.Duration) bool {
	if int64(now) >= b.next.Load() {
		b.measure(now)
	}
	if b.room.Add(-perConnection) < 0 {
		b.room.Add(perConnection)
		return false
	}
	return true
}

// measure looks how many descriptors there are.
func (b *Budget) measure(now time.Duration) {
	var limit unix.Rlimit
	open, pause := countDescriptors()
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || open < 0 {
		b.room.Store(1 << 40) // it is not known, and accepting itself will tell
		b.next.Store(int64(now + longMeasurePause))
		return
	}
	most := int64(min(limit.Cur, 1<<40))
	reserve := min(max(most/reserveShare, minReserve), maxReserve)
	b.room.Store(most - reserve - open - b.pending.Load())
	b.next.Store(int64(now + pause))
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

// A Promise is what a connection has of the budget of Descriptors.
type Promise uint8

const (
	Promised Promise = 1 << iota // has been admitted
	Pending                      // has no target yet
)

// Release gives the promise back.
func (p *Promise) Release() {
	if *p&Promised != 0 {
		Descriptors.Release(*p&Pending != 0)
	}
	*p = 0
}

// Connected notes that the connection has its target.
func (p *Promise) Connected() {
	if *p&Pending != 0 {
		*p &^= Pending
		Descriptors.Connected()
	}
}
