//go:build unix

package embedded

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var benchmarks = map[string]string{
	"allow":   `next();`,
	"block":   `next('no');`,
	"list":    `if (blocked.has(socket.remoteAddress)) next('on the list'); else next();`,
	"promise": `Promise.resolve(1).then(() => next());`,
}

// cpuTime is what the process has used.
func cpuTime(b testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// One client after the other: the caller's goroutine, the event loop's, and back.
func BenchmarkDecide(b *testing.B) {
	for name, middleware := range benchmarks {
		b.Run(name, func(b *testing.B) {
			s := open(b, "globalThis.blocked = globalThis.blocked || new Set(['::ffff:192.0.2.1']);\n"+middleware)
			c := client("192.0.2.7")
			before := cpuTime(b)
			b.ReportAllocs()
			for b.Loop() {
				_ = s.Decide(context.Background(), c)
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// Many clients at a time.
func BenchmarkDecideParallel(b *testing.B) {
	s := open(b, benchmarks["allow"])
	c := client("192.0.2.7")
	before := cpuTime(b)
	b.SetParallelism(100)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_ = s.Decide(context.Background(), c)
		}
	})
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

// 20,000 clients a second, each in a goroutine of its own as they come: how long they wait, and how many at a
// time.
func BenchmarkArrivals(b *testing.B) {
	const perMillisecond = 20
	s := open(b, benchmarks["allow"])
	c := client("192.0.2.7")
	var waiting, most atomic.Int64
	var total, longest atomic.Int64
	var wait sync.WaitGroup
	before := cpuTime(b)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	b.ResetTimer()
	for sent := 0; sent < b.N; {
		<-tick.C
		for range min(perMillisecond, b.N-sent) {
			sent++
			wait.Go(func() {
				start := time.Now()
				raise(&most, waiting.Add(1))
				_ = s.Decide(context.Background(), c)
				waiting.Add(-1)
				took := time.Since(start).Nanoseconds()
				total.Add(took)
				raise(&longest, took)
			})
		}
	}
	wait.Wait()
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(total.Load())/float64(b.N), "wait-ns/op")
	b.ReportMetric(float64(longest.Load()), "longest-ns")
	b.ReportMetric(float64(most.Load()), "most-waiting")
}

func raise(to *atomic.Int64, n int64) {
	for old := to.Load(); n > old && !to.CompareAndSwap(old, n); old = to.Load() {
	}
}

// What a start costs, as at each reload.
func BenchmarkStart(b *testing.B) {
	before := cpuTime(b)
	for b.Loop() {
		open(b, benchmarks["allow"]).Close()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}
