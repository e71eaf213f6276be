package session

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"
)

// BenchmarkRestore restores a million sessions in any order into an empty table, and among half a million idle ones, and tells for how
// long it holds a lock: at most, and in all but one of a thousand cases. It is the processor's time that counts, but interrupts of a busy
// machine are in it.
func BenchmarkRestore(b *testing.B) {
	for name, present := range map[string]int{"empty": 0, "half": million / 2} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				restoreMillion(b, present)
				b.StartTimer()
			}
		})
	}
}

func restoreMillion(b *testing.B, present int) {
	table, infos := halfFull(present)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b.StartTimer()
	began := processorTime()
	if got := table.Restore(infos); got != million {
		b.Fatalf("restored %d sessions", got)
	}
	took := processorTime() - began
	b.StopTimer()
	b.ReportMetric(float64(took.Milliseconds()), "ms-cpu")
	held := restoreHolds(halfFull(present))
	b.ReportMetric(float64(held[len(held)*999/1000].Nanoseconds())/1000, "µs-p99.9-lock")
	b.ReportMetric(float64(held[len(held)-1].Nanoseconds())/1000, "µs-longest-lock")
}

// halfFull returns a table with some idle sessions, and a million that can be restored beside them.
func halfFull(present int) (*Table[string], []Info[string]) {
	table, clock := newTable(2 * million)
	for i := range present {
		clock.advance(10 * time.Microsecond)
		visit(table, addr(2*million+i), "here")
	}
	infos := make([]Info[string], million)
	for i := range infos {
		infos[i] = idle(i, clock.now()-time.Duration(rand.Int64N(int64(expiry-time.Second))))
	}
	runtime.GC()
	return table, infos
}

// restoreHolds does what Restore does, and returns for how long it holds a lock, the longest time last.
func restoreHolds(table *Table[string], infos []Info[string]) (held []time.Duration) {
	r := &restoration[string]{table: table, sessions: infos, now: table.now()}
	all := r.candidates()
	r.widen(all)
	for batch := range slices.Chunk(all, restoreBatch) {
		r.group(batch)
		for n := range r.groups {
			for rest := r.groups[n]; len(rest) > 0; {
				began := processorTime()
				done, _ := table.restoreSlice(&table.shards[n], &r.gaps[n], rest)
				held = append(held, processorTime()-began)
				rest = rest[done:]
			}
		}
	}
	slices.Sort(held)
	return held
}
