package integration

import (
	"io"
	"slices"
	"sync"
	"time"
)

// warmUp has the balancer do a little of everything, and returns what it holds then.
func (r *chaosRun) warmUp() map[string]int {
	for i, ip := range clientIPs(100) {
		r.mustServe(ip, r.ways[i%len(r.ways)])
	}
	for _, options := range []string{"session_expiry 2s\n", calmOptions} {
		r.caddy.reload(r.t, r.configFor(options+r.everybody(), nil))
	}
	settle(r.t, r.everyTarget())
	return inventory(r.t, r.caddy)
}

func (r *chaosRun) everyTarget() []*target {
	var all []*target
	for _, target := range r.targets {
		all = append(all, target.target)
	}
	return all
}

// calm looks what is left when all is over.
func (r *chaosRun) calm(before map[string]int) {
	settle(r.t, r.everyTarget())
	r.mustBeRight("at last")
	r.mustCountRight()
	r.mustForgetSessions()
	r.caddy.reload(r.t, r.configFor(calmOptions+r.everybody(), nil))
	settle(r.t, r.everyTarget())
	awaitInventory(r.t, r.caddy, before)
}

// A guest is a connection that stays while it is looked who else may come.
type guest struct {
	conn   io.Closer
	target int
}

// invite connects, and tells whether a target has greeted.
func (r *chaosRun) invite(ip string, way *entrance) (g guest, served bool) {
	r.t.Helper()
	conn, err := tryDial(ip, way.address())
	if err != nil {
		r.t.Fatal(err)
	}
	var b [greetingSize]byte
	n, _, err := readUpTo(conn, b[:])
	if n < greetingSize || err != nil {
		conn.Close()
		return g, false
	}
	greeting, err := parseGreeting(b[:])
	if err != nil {
		r.t.Fatal(err)
	}
	return guest{conn, greeting.target}, true
}

func (r *chaosRun) mustServe(ip string, way *entrance) int {
	r.t.Helper()
	g, served := r.invite(ip, way)
	if !served {
		r.t.Fatalf("%s is not served by %s", ip, way)
	}
	g.conn.Close()
	return g.target
}

// mustCountRight looks at the balancer's counts of connections, by limits of one connection: too high a count would
// keep the first one out, too low a count would let the second one in.
func (r *chaosRun) mustCountRight() {
	way, ips := r.ways[0], clientIPs(500)
	limited := func(what, options, first, second string) {
		r.caddy.reload(r.t, r.configFor(calmOptions+options, nil))
		settle(r.t, r.everyTarget())
		r.mustLetInOne(what, way, first, second)
	}
	limited("the pool", "max_connections 1\n"+r.everybody(), ips[0], ips[1])
	for _, target := range r.targets {
		limited("target "+target.name, upstream(target.addr, "max_connections 1"), ips[0], ips[1])
	}
	limited("a client", "max_connections_per_client 1\n"+r.everybody(), ips[0], ips[0])
	each(len(ips), func(i int) { r.mustLetInOne("client "+ips[i], way, ips[i], ips[i]) })
}

// mustLetInOne fails unless the first of two connections is served, and the second is not. The count of the time
// before goes down when the balancer notices that a connection has ended, a moment after the target did.
func (r *chaosRun) mustLetInOne(what string, way *entrance, first, second string) {
	var g guest
	served := false
	for deadline := time.Now().Add(2 * time.Second); !served && time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		g, served = r.invite(first, way)
	}
	if !served {
		r.fail("a connection is counted that is not there", "%s", what)
		return
	}
	defer g.conn.Close()
	if other, served := r.invite(second, way); served {
		other.conn.Close()
		r.fail("a connection is not counted", "%s", what)
	}
}

// mustForgetSessions looks that no session is left when all have expired: then every client goes where it would have
// gone had it never been here.
func (r *chaosRun) mustForgetSessions() {
	r.caddy.reload(r.t, r.configFor("session_expiry 1ms\ndeactivation_duration 1ms\n"+r.everybody(), nil))
	settle(r.t, r.everyTarget())
	time.Sleep(100 * time.Millisecond)
	homes := r.homes()
	r.caddy.reload(r.t, caddyfile(server{r.ways[0].network + r.ways[0].address(), sticky("pool fresh\n" + r.everybody())}))
	for ip, home := range r.homes() {
		if homes[ip] != home {
			r.fail("a session has not expired", "%s is at target %d, and a new session leads to %d", ip, homes[ip], home)
		}
	}
}

func (r *chaosRun) homes() map[string]int {
	homes, ips := make(map[string]int), clientIPs(500)
	var mu sync.Mutex
	each(len(ips), func(i int) {
		home := r.mustServe(ips[i], r.ways[0])
		mu.Lock()
		defer mu.Unlock()
		homes[ips[i]] = home
	})
	return homes
}

// watchMemory looks at the balancer's memory until the returned function is called, which fails if it has grown
// in the second half of the time.
func (r *chaosRun) watchMemory() (stop func()) {
	var samples []int
	var watching sync.WaitGroup
	watching.Go(func() {
		for !r.sleep(time.Second) {
			samples = append(samples, r.caddy.residentKB(r.t))
		}
	})
	return func() {
		watching.Wait()
		n := len(samples)
		if n < 10 {
			return
		}
		middle, end := slices.Max(samples[n/2:n/2+n/10+1]), slices.Min(samples[n-n/10-1:])
		r.count("kB of memory at half-time", middle)
		r.count("kB of memory at the end", end)
		if allowed := middle + max(middle/5, 32*kiB); end > allowed {
			r.fail("memory grows", "from %d to %d kB in the second half: %d", middle, end, samples)
		}
	}
}
