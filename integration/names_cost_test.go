package integration

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkNames tells what it costs to keep the addresses of a thousand names, which are looked up every ten seconds, as a share of one
// core.
func BenchmarkNames(b *testing.B) {
	const names, measured = 1000, 30 * time.Second
	dns := startNameServer(b)
	var upstreams strings.Builder
	for i := range names {
		dns.setName(fmt.Sprintf("n%d.test", i), fmt.Sprintf("127.1.%d.%d", 100+i/250, 1+i%250))
		fmt.Fprintf(&upstreams, " n%d.test:8000", i)
	}
	p := startCaddyAsking(b, dns, caddyfile(server{freeAddr(b), "sticky_proxy" + upstreams.String()}))
	await(b, "all names are looked up", func() bool { return dns.questions() >= 2*names })
	for b.Loop() {
		before, asked := ticks(b, p), dns.questions()
		time.Sleep(measured)
		const ticksPerSecond = 100 // USER_HZ, which is the same on all of Go's Linux systems
		spent := float64(ticks(b, p)-before) / ticksPerSecond
		b.ReportMetric(100*spent/measured.Seconds(), "%core")
		b.ReportMetric(float64(dns.questions()-asked)/measured.Seconds(), "questions/s")
	}
}

// ticks returns the processor time that the process has taken, in the system's ticks.
func ticks(t testing.TB, p *balancerProcess) (sum int) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return sum
}
