package persist

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkMillion writes and reads a million IPv4 sessions at a hundred targets, and tells what they take.
func BenchmarkMillion(b *testing.B) {
	const sessions = 1_000_000
	for b.Loop() {
		began := processorTime(b)
		w := NewWriter(sessions)
		for i := range sessions {
			client := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			left := time.Duration(rand.Int64N(int64(30 * time.Minute)))
			w.Add(Session{client, "10.0.0.1:" + strconv.Itoa(i%100), now.Add(left), now.Add(left - 2*time.Hour), false})
		}
		data := w.Bytes("default", now)
		written := processorTime(b)
		if all, err := read("default", data); err != nil || len(all) != sessions {
			b.Fatal(len(all), err)
		}
		b.ReportMetric(float64(len(data))/sessions, "B/session")
		b.ReportMetric(float64((written - began).Milliseconds()), "ms-cpu-write")
		b.ReportMetric(float64((processorTime(b) - written).Milliseconds()), "ms-cpu-read")
	}
}

// processorTime returns what this process has had of the processors.
func processorTime(b *testing.B) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		b.Fatal(err)
	}
	return time.Duration(now.Nano())
}
