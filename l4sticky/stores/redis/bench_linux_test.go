package redis

import (
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// BenchmarkUpdate updates sessions that are live already, in batches. The time of the server is what its processor has spent.
func BenchmarkUpdate(b *testing.B) {
	for _, size := range []int{1, 128, 8192} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			s := startServer(b)
			store := open(b, "", s)
			const sessions = 100_000
			updates := make([]stores.Update, sessions)
			for i, c := range clients(sessions) {
				updates[i] = stores.Update{Client: c, Target: targetA, Live: true, TTL: time.Hour}
			}
			if err := store.Update(b.Context(), "default", "k3x9ab", updates); err != nil {
				b.Fatal(err)
			}
			before, own := s.processorTime(), ownProcessorTime(b)
			b.ReportAllocs()
			done := 0
			for b.Loop() {
				at := done % (sessions - size)
				if err := store.Update(b.Context(), "default", "k3x9ab", updates[at:at+size]); err != nil {
					b.Fatal(err)
				}
				done += size
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(done), "ns/session")
			b.ReportMetric(float64((ownProcessorTime(b)-own).Nanoseconds())/float64(done), "own-ns/session")
			b.ReportMetric(float64((s.processorTime()-before).Nanoseconds())/float64(done), "server-ns/session")
		})
	}
}

// ownProcessorTime returns how long this process has been on a processor.
func ownProcessorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkIdle measures the memory that a store takes whose server is connected.
func BenchmarkIdle(b *testing.B) {
	s := startServer(b)
	used := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc + m.StackInuse)
	}
	before := used()
	n := 0.
	for b.Loop() {
		store := open(b, `{"username": "default", "password": "`+strconv.Itoa(int(n))+`"}`, s)
		update(b, store, "n1", stores.Update{Client: client, Target: targetA, TTL: time.Hour})
		n++
	}
	b.ReportMetric((used()-before)/n, "B/store")
}
