package integration

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// dynamic is a sticky_proxy with a source that asks the server. The lines are the source's, and the options the handler's.
func dynamic(s *nameServer, source string, lines []string, options ...string) string {
	return "sticky_proxy {\ndynamic " + source + " {\nresolvers " + s.ip + "\n" + strings.Join(lines, "\n") + "\n}\n" + strings.Join(options, "\n") + "\n}"
}

// service starts targets at addresses that end in a number each, and has the server know them by names that end in it, too.
func service(t *testing.T, s *nameServer, octet int, last ...int) (port int, targets map[int]*target) {
	t.Helper()
	var addresses []string
	for _, n := range last {
		a := fmt.Sprintf("127.1.%d.%d", octet, n)
		addresses = append(addresses, a)
		s.setName(fmt.Sprintf("n%d.test", n), a)
	}
	port, started := byName(t, addresses...)
	targets = make(map[int]*target)
	for i, a := range addresses {
		targets[last[i]] = started[a]
	}
	return port, targets
}

// record is an SRV record for the host whose name ends in a number.
func record(port, n int, priority, weight uint16) dns.SRV {
	return dns.SRV{Target: fmt.Sprintf("n%d.test.", n), Port: uint16(port), Priority: priority, Weight: weight}
}

// The addresses of a name that name servers of its own know: they come and go, and only those of the families that are wanted count.
func TestDynamicA(t *testing.T) {
	t.Parallel()
	port, _ := byName(t, "127.1.40.11", "127.1.40.12", "127.1.40.13", "::1")
	ns := startNameServer(t)
	ns.set("127.1.40.11", "127.1.40.12", "::1")
	listen, ips := freeAddr(t), clientIPs(80)
	p := startCaddy(t, caddyfile(server{listen, dynamic(ns, "a svc.test "+strconv.Itoa(port),
		[]string{"refresh 1s", "versions ipv4"}, "resolve_hold 2s", "session_expiry 1h")}))
	homes := whoEach(t, ips[:40], listen)
	if counts := spread(homes); len(counts) != 2 || counts["::1"] > 0 {
		t.Errorf("the clients are at %v", counts)
	}
	ns.set("127.1.40.11", "127.1.40.12", "127.1.40.13")
	await(t, "an address appears", func() bool { return strings.Contains(p.Log(), "127.1.40.13") })
	mustAgree(t, "after an address appeared", whoEach(t, ips[:40], listen), homes)
	if counts := spread(whoEach(t, ips[40:], listen)); counts["127.1.40.13"] == 0 {
		t.Errorf("the new clients are at %v", counts)
	}
	for _, failure := range []func(){
		func() { ns.fail(dns.RcodeServerFailure) },
		func() { ns.set() },
	} {
		failure()
		asked := ns.questions()
		await(t, "more questions", func() bool { return ns.questions() >= asked+4 })
		mustAgree(t, "while the server fails", whoEach(t, ips[:40], listen), homes)
	}
	ns.set("127.1.40.12", "127.1.40.13")
	await(t, "an address leaves", func() bool { return strings.Contains(p.Log(), `"address left"`) })
	if counts := spread(whoEach(t, ips, listen)); counts["127.1.40.11"] > 0 {
		t.Errorf("the clients are at %v, and 127.1.40.11 has left", counts)
	}
}

// The lowest priority takes the clients, by weight; each higher one is for when none of a lower one can.
func TestDynamicSRV(t *testing.T) {
	t.Parallel()
	ns := startNameServer(t)
	port, targets := service(t, ns, 41, 11, 12, 13, 14)
	ns.setSRV("_game._tcp.svc.test", record(port, 11, 10, 30), record(port, 12, 10, 10), record(port, 13, 20, 0), record(port, 14, 30, 5))
	one, other, ips := freeAddr(t), freeAddr(t), clientIPs(400)
	source := "srv svc.test"
	lines := []string{"service game", "proto tcp", "refresh 1s"}
	p := startCaddy(t, caddyfile(server{one, dynamic(ns, source, lines, "session_expiry 1ms")}))
	startCaddy(t, caddyfile(server{other, dynamic(ns, source, lines, "session_expiry 1ms")}))
	homes := whoEach(t, ips, one)
	if counts := spread(homes); len(counts) != 2 || counts["127.1.41.11"] < 250 || counts["127.1.41.11"] > 350 {
		t.Errorf("the clients are at %v, want three quarters at .11 and the others at .12", counts)
	}
	mustAgree(t, "the other balancer", whoEach(t, ips, other), homes)

	// A weight that changes is taken over, and so is a priority.
	ns.setSRV("_game._tcp.svc.test", record(port, 11, 10, 10), record(port, 12, 20, 10), record(port, 13, 30, 0), record(port, 14, 40, 5))
	await(t, "all are at the only one of the lowest priority", func() bool { return len(spread(whoEach(t, ips[:20], one))) == 1 })
	for _, step := range []struct{ dead, next int }{{11, 12}, {12, 13}, {13, 14}} {
		targets[step.dead].kill()
		want := fmt.Sprintf("127.1.41.%d", step.next)
		if counts := spread(whoEach(t, ips[:20], one)); counts[want] != 20 {
			t.Errorf("without %d the clients are at %v, want them at %s", step.dead, counts, want)
		}
	}
	if n := strings.Count(p.Log(), `"upstream appeared"`); n != 4 {
		t.Errorf("the log has %d upstreams that appeared", n)
	}
}

// Records come and go while the config runs.
func TestDynamicSRVComesAndGoes(t *testing.T) {
	t.Parallel()
	ns := startNameServer(t)
	port, _ := service(t, ns, 42, 11, 12)
	listed := startTarget(t, "listed", greet("listed"))
	listen, ips := freeAddr(t), clientIPs(60)
	// At first there is no such name, and the upstream that is listed serves all.
	p := startCaddy(t, caddyfile(server{listen, dynamic(ns, "srv svc.test", []string{"refresh 1s"},
		"resolve_hold 2s", "session_expiry 1ms", upstream(listed.addr))}))
	if counts := spread(whoEach(t, ips, listen)); counts["listed"] != len(ips) {
		t.Errorf("the clients are at %v", counts)
	}
	ns.setSRV("svc.test", record(port, 11, 1, 1), record(port, 12, 1, 1))
	await(t, "all have clients", func() bool { return len(spread(whoEach(t, ips, listen))) == 3 })
	ns.setSRV("svc.test", record(port, 12, 1, 1), dns.SRV{Target: "nowhere.test.", Port: 1, Priority: 1})
	await(t, "a record leaves", func() bool { return strings.Contains(p.Log(), `"upstream left"`) })
	if counts := spread(whoEach(t, ips, listen)); len(counts) != 2 || counts["127.1.42.11"] > 0 {
		t.Errorf("the clients are at %v", counts)
	}
	homes := whoEach(t, ips, listen)
	for _, failure := range []func(){
		func() { ns.fail(dns.RcodeNameError) },
		func() { ns.fail(-1) },
		func() { ns.setSRV("svc.test") },
		func() { ns.setSRV("svc.test", dns.SRV{Target: "."}) },
	} {
		failure()
		asked := ns.questions()
		await(t, "more questions", func() bool { return ns.questions() >= asked+4 })
		mustAgree(t, "while the server fails", whoEach(t, ips, listen), homes)
	}
	if n := strings.Count(p.Log(), `"looking up upstreams failed"`); n != 1 {
		t.Errorf("%d lines in the log, want one in a minute", n)
	}
}

// When the service moves, its next client finds it: the source is asked at once when nothing else is left.
func TestDynamicSRVMoves(t *testing.T) {
	t.Parallel()
	ns := startNameServer(t)
	port, targets := service(t, ns, 43, 11, 12)
	ns.setSRV("svc.test", record(port, 11, 1, 1))
	listen, ip := freeAddr(t), clientIPs(1)[0]
	startCaddy(t, caddyfile(server{listen, dynamic(ns, "srv svc.test", []string{"refresh 1h"})}))
	if got := who(t, ip, listen); got != "127.1.43.11" {
		t.Fatalf("the client is at %s", got)
	}
	time.Sleep(time.Second) // nothing is looked up twice within a second
	targets[11].kill()
	ns.setSRV("svc.test", record(port, 12, 1, 1))
	if got := who(t, ip, listen); got != "127.1.43.12" {
		t.Errorf("the client is at %q", got)
	}
}

// A reload with the same source keeps what it has found, also while the server fails, and one with other options finds it anew.
func TestDynamicOverReload(t *testing.T) {
	t.Parallel()
	ns := startNameServer(t)
	port, _ := service(t, ns, 44, 11, 12, 13)
	records := []dns.SRV{record(port, 11, 1, 1), record(port, 12, 1, 1), record(port, 13, 1, 1)}
	ns.setSRV("svc.test", records...)
	listen, ips := freeAddr(t), clientIPs(40)
	config := func(refresh, expiry string) string {
		return caddyfile(server{listen, dynamic(ns, "srv svc.test", []string{"refresh " + refresh}, "resolve_hold 1s", "session_expiry "+expiry)})
	}
	p := startCaddy(t, config("1s", "1h"))
	homes := whoEach(t, ips, listen)
	kept := dialFrom(t, ips[0], listen)
	mustReadLine(t, kept)
	ns.fail(dns.RcodeServerFailure)
	began := time.Now()
	p.reload(t, config("1s", "2h"))
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the reload took %v", took)
	}
	mustAgree(t, "after a reload", whoEach(t, ips, listen), homes)
	ns.setSRV("svc.test", records...)
	asked := ns.questions()
	await(t, "the source of the new config is asked", func() bool { return ns.questions() >= asked+4 })
	p.reload(t, config("2s", "2h"))
	mustAgree(t, "after a reload with another source", whoEach(t, ips, listen), homes)
	mustEcho(t, kept)
	kept.Close()
}
