package session

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkListLocks goes through a table of a million sessions as List does, and tells for how long it holds a lock: at most, in all but
// one of a thousand cases, and in half of them. It is the processor's time that counts, but interrupts of a busy machine are in it.
func BenchmarkListLocks(b *testing.B) {
	table, _ := newTable(million)
	for i := range million {
		visit(table, addr(i), "x")
	}
	runtime.GC()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var copies, batches []time.Duration
	page := make([]Info[string], 0, examined)
	for b.Loop() {
		for i := range table.shards {
			sh := &table.shards[i]
			all := make([]*Session[string], 0, sh.count()+examined)
			began := processorTime()
			all = sh.appendAll(all)
			copies = append(copies, processorTime()-began)
			for first := 0; first < len(all); first += examined {
				began = processorTime()
				page = table.examine(sh, all[first:min(first+examined, len(all))], page[:0], examined, func(Info[string]) bool { return true })
				batches = append(batches, processorTime()-began)
			}
		}
	}
	for name, held := range map[string][]time.Duration{"copy": copies, "batch": batches} {
		slices.Sort(held)
		b.ReportMetric(float64(held[len(held)/2].Nanoseconds())/1000, "µs-p50-"+name)
		b.ReportMetric(float64(held[len(held)*999/1000].Nanoseconds())/1000, "µs-p99.9-"+name)
		b.ReportMetric(float64(held[len(held)-1].Nanoseconds())/1000, "µs-longest-"+name)
	}
}

// processorTime returns what this thread has had of a processor.
func processorTime() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
		panic(err)
	}
	return time.Duration(now.Nano())
}
