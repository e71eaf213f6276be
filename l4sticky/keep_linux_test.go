package l4sticky

import (
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/sys/unix"
)

const keptMillion = 1_000_000

// fillKept gives a pool a million idle sessions.
func fillKept(b *testing.B, c *poolConfig) {
	kept := make([]keptSession, keptMillion)
	for i := range kept {
		client := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		kept[i] = keptSession{client: client, target: "10.0.0." + strconv.Itoa(i%10) + ":80", expiresIn: time.Duration(1+i%3000) * time.Second, since: time.Now().Add(-time.Hour)}
	}
	if n := c.restoreSessions(kept); n.restored != keptMillion {
		b.Fatalf("%+v", n)
	}
}

func tenAddresses() (all []string) {
	for i := range 10 {
		all = append(all, "10.0.0."+strconv.Itoa(i)+":80")
	}
	return all
}

// BenchmarkKeepMillion writes a million sessions into files as Caddy's default storage does, and reads them, and tells the time of the processors
// that each takes.
func BenchmarkKeepMillion(b *testing.B) {
	for b.Loop() {
		storage := &certmagic.FileStorage{Path: b.TempDir()}
		v := joinKept(b, storage, b.Name(), time.Hour, tenAddresses()...)
		fillKept(b, v)
		began := processTime(b)
		v.kept.write()
		b.ReportMetric(float64((processTime(b) - began).Milliseconds()), "ms-cpu-write")
		leaveKept(b, v)
		began = processTime(b)
		v = joinKept(b, storage, b.Name(), time.Hour, tenAddresses()...)
		b.ReportMetric(float64((processTime(b) - began).Milliseconds()), "ms-cpu-read")
		v.keeper.storing.Lock() // the restorer has it until it is done, however busy the machine is
		b.ReportMetric(float64(v.sessions.Len()), "restored")
		v.keeper.storing.Unlock()
		leaveKept(b, v)
	}
}

// BenchmarkConnectionsBesideKeep has clients come and go while a million sessions are written and read, and tells for how long they
// waited for the table.
func BenchmarkConnectionsBesideKeep(b *testing.B) {
	for b.Loop() {
		storage := newMemoryStorage()
		v := joinKept(b, storage, b.Name(), time.Hour, tenAddresses()...)
		fillKept(b, v)
		reportWaits(b, v, "alone", func() { time.Sleep(time.Second) })
		reportWaits(b, v, "write", func() { v.kept.write() })
		data := storage.values[storageKey(v.name)]
		v.sessions.Clear()
		reportWaits(b, v, "read", func() {
			if n, err := v.kept.decode(data, time.Now()); err != nil || n.restored < keptMillion-100_000 {
				b.Errorf("%+v, %v", n, err)
			}
		})
		leaveKept(b, v)
	}
}

// reportWaits has a client come and go while something is done, each time another one.
func reportWaits(b *testing.B, c *poolConfig, name string, do func()) {
	done := make(chan struct{})
	var waits []time.Duration
	var client sync.WaitGroup
	client.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			client := netip.AddrFrom4([4]byte{10, byte(i * 7), byte(i >> 8), byte(i)})
			began := time.Now()
			s, _ := c.acquire(client, 0)
			c.settle(s, client, all)
			c.sessions.Release(s)
			waits = append(waits, time.Since(began))
		}
	})
	do()
	close(done)
	client.Wait()
	slices.Sort(waits)
	b.ReportMetric(float64(waits[len(waits)*999/1000].Nanoseconds())/1000, "µs-p99.9-"+name)
	b.ReportMetric(float64(waits[len(waits)-1].Nanoseconds())/1000, "µs-max-"+name)
	b.ReportMetric(float64(len(waits)), name)
}

// processTime returns what this process has had of the processors.
func processTime(b *testing.B) time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now); err != nil {
		b.Fatal(err)
	}
	return time.Duration(now.Nano())
}
