package l4sticky

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/share"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
	_ "github.com/caddy-sticky/caddy-sticky/l4sticky/stores/redis"
)

// BenchmarkRenewals keeps 1,000,000 sessions with connections alive in a redis-server, for as many intervals as there are rounds, and tells
// what that costs: the processor time of this process and of the server in percent of a core, and the commands that the server gets. Then it
// tells how long the answers for new clients take meanwhile.
func BenchmarkRenewals(b *testing.B) {
	const sessions = 1_000_000
	s := startRedis(b)
	options := Options{Pool: b.Name(), SessionStoreRaw: json.RawMessage(`{"store":"redis","addresses":["127.0.0.1:` + s.port + `"]}`)}
	options.StoreRequired = true
	var upstreams []target.Config
	for _, address := range []string{"10.0.0.11:8000", "10.0.0.12:8000", "10.0.0.13:8000"} {
		upstreams = append(upstreams, target.Config{Address: target.Address{Network: "tcp", Dial: address}, Weight: 1})
	}
	c := joinUpstreams(b, options, upstreams...)
	for i := range sessions {
		client := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		held, _ := c.acquire(client, 0)
		c.sessions.Reach(held, c.settle(held, client, all).Target)
	}
	renewed := func() int64 { return c.counts.store.Updates.Load() }
	for s.figure("keyspace", `db0:keys=(\d+)`) < sessions { // all are told, since so many changes are not noted
		time.Sleep(time.Second)
	}
	time.Sleep(share.RenewInterval / 2)
	updates, own, its, commands, received := renewed(), processorTime(b), s.processorTime(), s.commands(), s.received()
	b.ResetTimer()
	time.Sleep(time.Duration(b.N) * share.RenewInterval)
	b.StopTimer()
	elapsed := b.Elapsed()
	own = processorTime(b) - own
	renewals := float64(renewed() - updates)
	b.ReportMetric(renewals/elapsed.Seconds(), "renewals/s")
	b.ReportMetric((s.received()-received)/renewals, "sent-B/renewal")
	b.ReportMetric(100*own.Seconds()/elapsed.Seconds(), "core-%")
	b.ReportMetric(100*(s.processorTime()-its).Seconds()/elapsed.Seconds(), "redis-core-%")
	b.ReportMetric((s.commands()-commands)/elapsed.Seconds(), "commands/s")
	waits := askMeanwhile(c, share.RenewInterval/4)
	b.ReportMetric(float64(waits[len(waits)/2].Microseconds()), "p50-ask-us")
	b.ReportMetric(float64(waits[len(waits)*99/100].Microseconds()), "p99-ask-us")
}

// askMeanwhile asks the store for a new client now and then, and returns how long the answers took, in ascending order.
func askMeanwhile(c *poolConfig, span time.Duration) (waits []time.Duration) {
	answered := make(chan struct{}, 1)
	for began := time.Now(); time.Since(began) < span; time.Sleep(17 * time.Millisecond) {
		client, asked := netip.AddrFrom4([4]byte{192, 168, byte(len(waits) >> 8), byte(len(waits))}), time.Now()
		c.sharing.Load().Ask(client, "10.0.0.11:8000", func(string, bool) { answered <- struct{}{} })
		<-answered
		waits = append(waits, time.Since(asked))
	}
	slices.Sort(waits)
	return waits
}

// processorTime returns how long this process has been on a processor.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A redisServer is a process of redis-server.
type redisServer struct {
	b    *testing.B
	port string
}

func startRedis(b *testing.B) redisServer {
	b.Helper()
	s := redisServer{b, strconv.Itoa(freeport.Get(b))}
	command := exec.Command("redis-server", "--port", s.port, "--bind", "127.0.0.1", "--save", "", "--dir", b.TempDir())
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		b.Fatalf("redis-server must be installed: %v", err)
	}
	b.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	for until := time.Now().Add(20 * time.Second); exec.Command("redis-cli", "-p", s.port, "PING").Run() != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			b.Fatal("redis-server does not answer")
		}
	}
	return s
}

// figure returns the number in a section of INFO that is the group of an expression, or 0 if there is none.
func (s redisServer) figure(section, expression string) float64 {
	s.b.Helper()
	info, err := exec.Command("redis-cli", "-p", s.port, "INFO", section).Output()
	if err != nil {
		s.b.Fatal(err)
	}
	found := regexp.MustCompile(expression).FindSubmatch(info)
	if found == nil {
		return 0
	}
	n, err := strconv.ParseFloat(string(bytes.TrimSpace(found[1])), 64)
	if err != nil {
		s.b.Fatal(err)
	}
	return n
}

func (s redisServer) processorTime() time.Duration {
	return time.Duration(1e9 * (s.figure("cpu", `used_cpu_user:([\d.]+)`) + s.figure("cpu", `used_cpu_sys:([\d.]+)`)))
}

// commands returns how many the server has got, without those that scripts have called.
func (s redisServer) commands() float64 {
	return s.figure("commandstats", `cmdstat_evalsha:calls=(\d+)`)
}

// received returns how many bytes the server has read.
func (s redisServer) received() float64 { return s.figure("stats", `total_net_input_bytes:(\d+)`) }
