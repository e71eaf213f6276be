//go:build linux

package node

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

var benchmarks = map[string]string{
	"allow":   `next();`,
	"block":   `next('no');`,
	"list":    `if (blocked.has(socket.remoteAddress)) next('on the list'); else next();`,
	"promise": `Promise.resolve(1).then(() => next());`,
	"timer":   `setTimeout(next, 1);`,
	"close":   `socket.on('close', () => {}); next();`,
}

// cpuTime is what this process has used, and what the child has.
func cpuTime(b testing.TB, pid int) (ours, childs time.Duration) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')'):]))
	user, _ := strconv.Atoi(fields[12])
	system, _ := strconv.Atoi(fields[13])
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()), time.Duration(user+system) * 10 * time.Millisecond
}

func measure(b *testing.B, middleware string, f func(s *box)) {
	s := open(b, "if (!globalThis.blocked) { globalThis.blocked = new Set(['::ffff:192.0.2.1']); console.log('pid ' + process.pid + '.'); }\n"+middleware)
	s.Ask("192.0.2.7")
	pid := loggedPID(b, s.Log)
	ours, childs := cpuTime(b, pid)
	b.ReportAllocs()
	f(s)
	oursAfter, childsAfter := cpuTime(b, pid)
	b.ReportMetric(float64(oursAfter-ours)/float64(b.N), "cpu-go-ns/op")
	b.ReportMetric(float64(childsAfter-childs)/float64(b.N), "cpu-node-ns/op")
	b.ReportMetric(float64(rss(pid)>>20), "rss-MiB")
}

// One client after the other: the caller's goroutine, the process, and back.
func BenchmarkDecide(b *testing.B) {
	for name, middleware := range benchmarks {
		b.Run(name, func(b *testing.B) {
			measure(b, middleware, func(s *box) {
				c := client("192.0.2.7")
				for b.Loop() {
					_ = s.Decide(context.Background(), c)
				}
			})
		})
	}
}

// 64 clients at a time.
func BenchmarkDecideParallel(b *testing.B) {
	for name, middleware := range benchmarks {
		b.Run(name, func(b *testing.B) {
			measure(b, middleware, func(s *box) {
				c := client("192.0.2.7")
				b.SetParallelism(32)
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						_ = s.Decide(context.Background(), c)
					}
				})
			})
		})
	}
}

// What a start costs.
func BenchmarkStart(b *testing.B) {
	path := b.TempDir() + "/balancer.js"
	write(b, path, "exports.run = () => {};")
	r, err := Find(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	used := func() float64 {
		var usage syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage)
		return float64(usage.Utime.Nano() + usage.Stime.Nano())
	}
	before := used()
	for b.Loop() {
		s, err := decide.Open(path, decide.Options{}, r)
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
	b.ReportMetric((used()-before)/float64(b.N), "cpu-node-ns/op")
}
