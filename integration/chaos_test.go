package integration

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
)

var (
	chaosSeed        = flag.Uint64("chaos.seed", 0, "the seed of the chaos run; 0 is a random one")
	chaosDuration    = flag.Duration("chaos.duration", 20*time.Second, "how long the chaos run lasts")
	chaosConnections = flag.Int64("chaos.connections", 0, "how many connections the chaos run makes, instead of a duration")
	chaosClients     = flag.Int("chaos.clients", 60, "how many clients of the chaos run are there at a time")
	chaosLog         = flag.String("chaos.log", "", "a file to keep the balancer's log of the chaos run in")
	chaosMild        = flag.Bool("chaos.mild", false, "spare the chaos run faults of targets, refused configs and clients that leave early")
)

const (
	chaosPatience = 30 * time.Second
	// minExpiry is the shortest session_expiry of all configs.
	minExpiry = 500 * time.Millisecond
	// maxDeactivation is the longest deactivation_duration, and dialTimeout the dial_timeout, of all configs.
	maxDeactivation = 400 * time.Millisecond
	dialTimeout     = 500 * time.Millisecond
	// chaosMargin is for how long a target must have done well until nothing of the time before speaks against it:
	// a dial may go on for a while, and a deactivation may follow. The rest is for a busy machine.
	chaosMargin = dialTimeout + maxDeactivation + 300*time.Millisecond
)

// A chaosRun is 500 clients and 8 targets that do whatever clients and targets do, with a balancer between them that
// gets a new config all the time. All that is decided at random comes from the seed.
type chaosRun struct {
	t      testing.TB
	seed   uint64
	mild   bool
	began  time.Time
	oracle *oracle
	caddy  *balancerProcess

	targets []*chaosTarget
	wrong   []*target // those of refused configs
	astray  int64     // connections that came to them
	taken   string    // an address that another program holds
	ways    []*entrance
	reloads history // the times in which a config is being loaded

	slots chan struct{}
	left  atomic.Int64 // connections to be made
	over  chan struct{}

	mu     sync.Mutex
	counts map[string]int // of what happens
	wrongs map[string]int // of what must not
}

func TestChaos(t *testing.T) {
	r := &chaosRun{
		t: t, seed: *chaosSeed, mild: *chaosMild, began: time.Now(), over: make(chan struct{}), counts: make(map[string]int), wrongs: make(map[string]int),
		slots: make(chan struct{}, *chaosClients),
	}
	if r.seed == 0 {
		r.seed = rand.Uint64()
	}
	r.oracle = &oracle{
		fail: r.fail, count: r.count, excuse: r.excuse,
		clients: make(map[uint64]*clientHalf), targets: make(map[uint64]*targetHalf),
	}
	t.Cleanup(r.replay)
	r.prepare()
	before := r.warmUp()
	r.rage()
	if r.caddy.hasEnded() {
		t.Fatalf("the balancer has ended: %v", r.caddy.cmd.ProcessState)
	}
	settle(t, r.everyTarget())
	r.oracle.conclude()
	t.Log(r.report())
	r.mustHaveProven()
	r.calm(before)
}

// prepare starts the targets and the balancer.
func (r *chaosRun) prepare() {
	for i := range 8 {
		r.targets = append(r.targets, startChaosTarget(r.t, r, i))
	}
	for range 2 {
		r.wrong = append(r.wrong, startTarget(r.t, "wrong", greet("wrong")))
	}
	taken, err := net.Listen("tcp", freeAddr(r.t))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { taken.Close() })
	r.taken = taken.Addr().String()
	r.makeWays()
	r.caddy = startCaddy(r.t, r.configFor(calmOptions+r.everybody(), nil))
	r.t.Cleanup(r.keepLog)
	for _, target := range r.targets {
		target.configured.begin(r.now())
	}
}

// excuse tells why a client may be lost: no target was there for it for certain, or the listener was closed under it.
// What waits in a plain listener is reset when the next config opens another one.
func (r *chaosRun) excuse(c *clientHalf) string {
	switch {
	case !slices.ContainsFunc(r.targets, func(t *chaosTarget) bool { return t.steady(c.began, c.over) }):
		return "while no target was there all the time"
	case c.greeted:
		return ""
	case !c.way.stable.held(c.began, c.over):
		return "by a listener that moved"
	case c.way.network == "" && r.reloads.touched(c.began, c.over):
		return "by a plain listener in a reload"
	}
	return ""
}

// rage has all actors at work until the time is over, or the number of connections is reached.
func (r *chaosRun) rage() {
	var clients, faults sync.WaitGroup
	r.left.Store(endless)
	duration := *chaosDuration
	if n := *chaosConnections; n > 0 {
		r.left.Store(n)
		duration = endless
	}
	if testing.Short() {
		duration = min(duration, 5*time.Second)
	}
	permits := make(chan struct{}, 3)
	if !r.mild {
		for _, target := range r.targets {
			faults.Go(func() { target.misbehave(permits) })
		}
	}
	for i, ip := range clientIPs(500) {
		client := &chaosClient{run: r, number: uint64(i), ip: netip.MustParseAddr(ip), rng: r.rng("client", uint64(i))}
		clients.Go(client.live)
	}
	watch := r.watchMemory()
	go func() {
		if duration < endless {
			time.Sleep(duration)
			r.left.Store(0)
		}
	}()
	go func() {
		clients.Wait()
		close(r.over)
	}()
	r.reload()
	faults.Wait()
	watch()
}

// mustHaveProven fails if too little has happened, or too many clients were lost for reasons that are no fault.
func (r *chaosRun) mustHaveProven() {
	r.mu.Lock()
	defer r.mu.Unlock()
	excused := 0
	for what, n := range r.counts {
		if strings.HasPrefix(what, lostBecause) {
			excused += n
		}
	}
	if all, whole := r.counts["connections"], r.counts["whole"]; whole < max(all/3, 100) || excused > all/10 || r.counts["reloads"] < 3 {
		r.t.Errorf("of %d connections only %d were whole, %d were lost with an excuse, in %d reloads", all, whole, excused, r.counts["reloads"])
	}
}

// now is the time of the run.
func (r *chaosRun) now() time.Duration { return time.Since(r.began) }

// rng returns the random numbers of one actor.
func (r *chaosRun) rng(actor string, number uint64) *rand.Rand {
	return rand.New(rand.NewPCG(r.seed, xxhash.Sum64String(actor)^number*0x9E3779B97F4A7C15))
}

// sleep reports whether the run is over, and sleeps no longer than until then.
func (r *chaosRun) sleep(d time.Duration) (over bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return false
	case <-r.over:
		return true
	}
}

// admit waits until one more client may come, and reports whether it may at all.
func (r *chaosRun) admit() bool {
	r.slots <- struct{}{}
	if r.left.Add(-1) >= 0 {
		return true
	}
	r.release()
	return false
}

func (r *chaosRun) release() { <-r.slots }

func (r *chaosRun) count(what string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[what] += n
}

// fail tells of something wrong. Of many things of a kind it shows the first.
func (r *chaosRun) fail(what, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.wrongs[what]++; r.wrongs[what] <= 3 {
		r.t.Errorf("%v: %s: %s", r.now().Round(time.Millisecond), what, fmt.Sprintf(format, args...))
	}
}

// replay tells what was wrong and how to repeat it.
func (r *chaosRun) replay() {
	if !r.t.Failed() {
		return
	}
	r.t.Logf("what was wrong:\n%s\nto repeat it: go test -race ./integration -run TestChaos -timeout 2h -chaos.seed=%d -chaos.duration=%v -chaos.connections=%d -chaos.clients=%d -chaos.mild=%v",
		list(r.wrongs), r.seed, *chaosDuration, *chaosConnections, *chaosClients, r.mild)
}

func (r *chaosRun) keepLog() {
	if *chaosLog == "" {
		return
	}
	if err := os.WriteFile(*chaosLog, []byte(r.caddy.Log()), 0o600); err != nil {
		r.t.Error(err)
	}
}

// logAbout returns the last lines of the balancer's log with a text in them.
func (r *chaosRun) logAbout(text string) string {
	var lines []string
	for line := range strings.Lines(r.caddy.Log()) {
		if strings.Contains(line, text) && !strings.Contains(line, "autosaved") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-3):], "\t\t")
}

func (r *chaosRun) report() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("seed %d, %v\n%s", r.seed, r.now().Round(time.Millisecond), list(r.counts))
}

func list(counts map[string]int) string {
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		lines = append(lines, fmt.Sprintf("%10d %s", counts[what], what))
	}
	return strings.Join(lines, "\n")
}
