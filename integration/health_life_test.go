package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// However many handlers a pool has, a target is checked once in an interval.
func TestOneCheckForAllHandlers(t *testing.T) {
	t.Parallel()
	target := greeters(t, 1)[0]
	options := "health_check tcp {\ninterval 500ms\n}"
	var servers []server
	for range 10 {
		servers = append(servers, server{freeAddr(t), sticky(options, target)})
	}
	caddy := startCaddy(t, caddyfile(servers...))
	const checks = 7
	var began time.Time
	await(t, "checks", func() bool {
		n := target.accepted.Load()
		if n == 1 && began.IsZero() {
			began = time.Now()
		}
		return n >= checks
	})
	// The clock may have been read late by what await sleeps.
	if took := time.Since(began); took < (checks-1)*450*time.Millisecond-100*time.Millisecond {
		t.Errorf("%d checks took %v", checks, took)
	}
	if _, stacks := caddy.goroutines(t); countIn(stacks, "health.(*Loop).run") != 1 {
		t.Errorf("there are several checkers:\n%s", stacks)
	}
}

// countIn returns how many goroutines of a profile have a function in their stack.
func countIn(stacks, function string) (count int) {
	for _, group := range strings.Split(stacks, "\n\n") {
		if strings.Contains(group, function) {
			n := 0
			_, _ = fmt.Sscanf(strings.TrimSpace(group), "%d @", &n)
			count += max(n, 1)
		}
	}
	return count
}

// What checks have shown holds over reloads, and ends with the checks: then a target that checks took out gets clients, and nothing is left.
func TestChecksOverReloads(t *testing.T) {
	t.Parallel()
	p := new(patient)
	sick, good := startTarget(t, "sick", p.serve), startTarget(t, "good", (&patient{name: "good"}).serve)
	listen, ip := freeAddr(t), clientIPs(1)[0]
	config := func(options string) string {
		return balance(listen, "session_expiry 1ms\n"+options+backups(good), sick)
	}
	const check = "health_check http {\ninterval 100ms\ntimeout 10s\nfall 2\nrise %d\npath /health\n}\n"
	p.ill.Store(true)
	caddy := startCaddy(t, config(fmt.Sprintf(check, 2)))
	await(t, "the target is taken out", func() bool { return strings.Contains(caddy.Log(), "upstream check failed") })
	for rise := range 5 {
		caddy.reload(t, config(fmt.Sprintf(check, 3+rise)))
		if got := say(t, ip, listen); got != "good" {
			t.Errorf("after a reload a client was told %q", got)
		}
	}
	// A config that is refused changes nothing.
	refused := strings.Replace(config(""), "{\n\tlayer4 {\n", "{\n\tlayer4 {\n"+freeAddr(t)+" {\nroute {\nsticky_proxy a:80 a:80 {\npool other\n}\n}\n}\n", 1)
	for range 5 { // which of the two servers comes first is up to chance
		if err := caddy.load(refused); err == nil {
			t.Fatal("a wrong config was loaded")
		}
	}
	if got := say(t, ip, listen); got != "good" {
		t.Errorf("after a reload that was refused a client was told %q", got)
	}
	before := sick.accepted.Load()
	await(t, "more checks", func() bool { return sick.accepted.Load() > before+2 })
	if n := strings.Count(caddy.Log(), "upstream check failed"); n != 1 {
		t.Errorf("%d lines tell that the target is out", n)
	}
	caddy.reload(t, config(""))
	if got := say(t, ip, listen); got != "patient" {
		t.Errorf("a client of a target that is not checked any more was told %q", got)
	}
	await(t, "the checker is gone", func() bool {
		_, stacks := caddy.goroutines(t)
		return !strings.Contains(stacks, "internal/health")
	})
	await(t, "no connection is left", func() bool { return sick.open() == 0 })
	caddy.reload(t, config(fmt.Sprintf(check, 2)))
	await(t, "the target is taken out again", func() bool { return strings.Count(caddy.Log(), "upstream check failed") == 2 })
}

// A check that hangs ends with its timeout, and the next one does not begin before.
func TestSlowChecks(t *testing.T) {
	t.Parallel()
	var open, most atomic.Int64
	slow := startTarget(t, "slow", func(conn *net.TCPConn) {
		most.Store(max(most.Load(), open.Add(1)))
		_, _ = io.Copy(io.Discard, conn)
		open.Add(-1)
	})
	listen := freeAddr(t)
	caddy := startCaddy(t, balance(listen, "health_check http {\ninterval 100ms\ntimeout 100ms\nfall 3\n}", slow))
	await(t, "some checks", func() bool { return slow.accepted.Load() >= 10 })
	// The end of one connection may be seen a moment after the next has begun.
	if most.Load() > 2 {
		t.Errorf("%d checks at a time", most.Load())
	}
	if !strings.Contains(caddy.Log(), "i/o timeout") {
		t.Errorf("the log does not tell why:\n%s", caddy.Log())
	}
}

// When the checks of all targets fail, clients are served as long as the targets accept them, also many at a time, and each stays at its target.
func TestAllDown(t *testing.T) {
	t.Parallel()
	targets, listen, ips := greeters(t, 3), freeAddr(t), clientIPs(60)
	closed := portOf(freeAddr(t))
	caddy := startCaddy(t, balance(listen, "session_expiry 1ms", targets...))
	homes := whoEach(t, ips, listen)
	caddy.reload(t, balance(listen, fmt.Sprintf("session_expiry 1ms\nhealth_check tcp {\n%sport %d\n}", quickly, closed), targets...))
	await(t, "all are out", func() bool { return strings.Count(caddy.Log(), "upstream check failed") == 3 })
	mustAgree(t, "with all targets down", whoEach(t, ips, listen), homes)

	// Dials tell then, as ever.
	targets[1].kill()
	for ip, at := range whoEach(t, ips, listen) {
		if at == "b" || homes[ip] != "b" && at != homes[ip] {
			t.Errorf("%s went from %s to %s", ip, homes[ip], at)
		}
	}
	if strings.Count(caddy.Log(), "upstream deactivated") != 1 {
		t.Errorf("the dead target is not deactivated once:\n%s", caddy.Log())
	}
}

// Each address of a name is checked for itself, and those without weight, too.
func TestChecksOfNames(t *testing.T) {
	t.Parallel()
	port, targets := byName(t, "127.1.5.11", "127.1.5.12", "127.1.5.13")
	names := startNameServer(t)
	names.set("127.1.5.11", "127.1.5.12")
	listen, ips := freeAddr(t), clientIPs(40)
	caddy := startCaddyAsking(t, names, balanceName(listen, port, "resolve_interval 1s", "session_expiry 1ms", "health_check tcp {\n"+quickly+"}"))
	await(t, "checks of both", func() bool {
		return targets["127.1.5.11"].accepted.Load() > 2 && targets["127.1.5.12"].accepted.Load() > 2
	})
	targets["127.1.5.12"].kill()
	await(t, "one is taken out", func() bool { return strings.Contains(caddy.Log(), "upstream check failed") })
	if counts := spread(whoEach(t, ips, listen)); len(counts) != 1 || counts["127.1.5.11"] != 40 {
		t.Errorf("the clients are at %v", counts)
	}
	names.set("127.1.5.11", "127.1.5.12", "127.1.5.13")
	await(t, "one that appeared is checked", func() bool { return targets["127.1.5.13"].accepted.Load() > 2 })
	targets["127.1.5.12"].start(t)
	await(t, "it is brought back", func() bool { return strings.Contains(caddy.Log(), "upstream check passed") })
	if counts := spread(whoEach(t, ips, listen)); len(counts) != 3 {
		t.Errorf("the clients are at %v", counts)
	}
	if strings.Contains(caddy.Log(), "upstream deactivated") {
		t.Errorf("a client met the dead target:\n%s", caddy.Log())
	}
}

// An upstream without weight and a Unix socket are checked as others are.
func TestChecksOfAllUpstreams(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/s"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	service := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host == "localhost" {
			asked.Add(1)
		}
	})}
	go func() { _ = service.Serve(ln) }()
	t.Cleanup(func() { _ = service.Close() })
	p := new(patient)
	drained := startTarget(t, "drained", p.serve)
	caddy := startCaddy(t, caddyfile(server{freeAddr(t), "sticky_proxy {\n" + upstream("unix/"+path) + upstream(drained.addr, "weight 0") +
		"health_check http {\n" + quickly + "}\n}"}))
	await(t, "checks of both", func() bool { return asked.Load() > 2 && drained.accepted.Load() > 2 })
	if strings.Contains(caddy.Log(), "upstream check failed") {
		t.Errorf("a check has failed:\n%s", caddy.Log())
	}
}
