package session

import (
	"runtime"
	"sort"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const million = 1_000_000

// BenchmarkHit is a connection of a client that has a session: acquire, ask for the target, release.
func BenchmarkHit(b *testing.B) {
	table, _ := newTable(million)
	benchmarkHit(b, table)
}

// BenchmarkHitObserved is the same with an observer, which is told of two events.
func BenchmarkHitObserved(b *testing.B) {
	var events [16]struct {
		atomic.Int64
		_ [56]byte
	}
	benchmarkHit(b, NewWithHooks(new(clock).now, expiry, million, Hooks[string]{
		Observe: func(e Event[string]) { events[e.Client.As4()[3]%16].Add(1) },
	}))
}

// BenchmarkHitCounted is the same with a count of the idle sessions, which all connections change.
func BenchmarkHitCounted(b *testing.B) {
	var idle atomic.Int64
	benchmarkHit(b, NewWithHooks(new(clock).now, expiry, million, Hooks[string]{
		Note: func(e Event[string]) {
			switch e.Kind {
			case Idle:
				idle.Add(1)
			case Resumed:
				idle.Add(-1)
			}
		},
	}))
}

func benchmarkHit(b *testing.B, table *Table[string]) {
	for i := range 100_000 {
		visit(table, addr(i), "x")
	}
	usable := func(string) bool { return true }
	var next atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		i := int(next.Add(50_000))
		for pb.Next() {
			s := table.Acquire(addr(i % 100_000))
			table.Settle(s, usable, nil)
			table.Release(s)
			i++
		}
	})
}

// TestMemory holds a session to its bound. The table is as full as one with a million of them is, of which it has a
// quarter. Their targets are pointers, as the balancer's are.
func TestMemory(t *testing.T) {
	if got := bytesPerSession(million / 4); got > 150 {
		t.Errorf("a session takes %.0f bytes, want at most 150", got)
	}
}

// BenchmarkMemory reports the bytes that a session takes when there are a million of them.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(bytesPerSession(million), "B/session")
	}
}

func bytesPerSession(sessions int) float64 {
	before := heap()
	table := New[*int](new(clock).now, expiry, sessions)
	target := new(int)
	for i := range sessions {
		s := table.Acquire(addr(i))
		table.Settle(s, nil, func() *int { return target })
		table.Release(s)
	}
	used := heap() - before
	runtime.KeepAlive(table)
	return float64(used) / float64(sessions)
}

// BenchmarkExpiry expires a million sessions at once, while lookups go on, and reports how long the
// slowest ones took. A lookup also waits for its turn on a core; the table's own part in it is the longest
// time that expiry holds a lock, measured as CPU time.
func BenchmarkExpiry(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		table, clock := newTable(2 * million)
		fill(table, million)
		runtime.GC()
		clock.advance(expiry)
		done := make(chan struct{})
		times := make(chan []time.Duration)
		go func() { times <- lookups(table, done) }()
		b.StartTimer()
		table.expire()
		b.StopTimer()
		close(done)
		waits := <-times
		if table.Len() > million/2 {
			b.Fatalf("%d sessions are left", table.Len())
		}
		sort.Slice(waits, func(i, j int) bool { return waits[i] < waits[j] })
		b.ReportMetric(float64(len(waits)), "lookups")
		b.ReportMetric(float64(waits[len(waits)*999/1000].Microseconds()), "p99.9-µs")
		b.ReportMetric(float64(waits[len(waits)-1].Microseconds()), "max-µs")
		b.ReportMetric(float64(longestSlice().Microseconds()), "longest-lock-µs")
		b.StartTimer()
	}
}

// lookups looks clients up until done and returns how long each took.
func lookups(table *Table[string], done <-chan struct{}) []time.Duration {
	waits := make([]time.Duration, 0, 4*million)
	for i := 0; len(waits) < cap(waits); i++ {
		select {
		case <-done:
			return waits
		default:
		}
		start := time.Now()
		visit(table, addr(2*million+i%1000), "x")
		waits = append(waits, time.Since(start))
	}
	<-done
	return waits
}

// longestSlice returns how long the slowest of all slices of a million expired sessions holds its lock.
func longestSlice() time.Duration {
	table, clock := newTable(million)
	fill(table, million)
	clock.advance(expiry)
	now := clock.now()
	runtime.GC()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var longest time.Duration
	for i := range table.shards {
		for more := true; more; {
			start := threadTime()
			more = table.sweepSlice(&table.shards[i], now, table.expired, Expired)
			longest = max(longest, threadTime()-start)
		}
	}
	return longest
}

// threadTime is the CPU time that the calling thread has used.
func threadTime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}

func fill(table *Table[string], sessions int) {
	for i := range sessions {
		visit(table, addr(i), "x")
	}
}

func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkFull is a new client at a full table: the session that has been idle longest makes room.
func BenchmarkFull(b *testing.B) {
	for _, capacity := range []int{1000, million} {
		began := time.Now()
		table := New[string](func() time.Duration { return time.Since(began) }, time.Hour, capacity)
		fill(table, capacity)
		next := capacity
		b.Run(strconv.Itoa(capacity), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				visit(table, addr(next), "x")
				next++
			}
		})
	}
}
