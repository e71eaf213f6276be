package integration

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// byName starts targets at the same port of several addresses of this machine, and returns the port.
func byName(t testing.TB, addresses ...string) (port int, targets map[string]*target) {
	t.Helper()
	port = freePort(t)
	targets = make(map[string]*target)
	for _, a := range addresses {
		targets[a] = startTargetAt(t, net.JoinHostPort(a, strconv.Itoa(port)), greet(a))
	}
	return port, targets
}

func balanceName(listen string, port int, options ...string) string {
	return caddyfile(server{listen, "sticky_proxy svc.test:" + strconv.Itoa(port) + " {\n" + strings.Join(options, "\n") + "\n}"})
}

// spread returns how many clients are at each target.
func spread(homes map[string]string) map[string]int {
	counts := make(map[string]int)
	for _, home := range homes {
		counts[home]++
	}
	return counts
}

// A name with several addresses is as many targets: each client stays at one, whatever the order of the answers.
func TestNameWithSeveralAddresses(t *testing.T) {
	t.Parallel()
	port, targets := byName(t, "127.1.0.11", "127.1.0.12", "127.1.0.13")
	server := startNameServer(t)
	server.set(slices.Collect(maps.Keys(targets))...)
	listen, ips := freeAddr(t), clientIPs(60)
	startCaddyAsking(t, server, balanceName(listen, port, "resolve_interval 1s", "session_expiry 1ms"))
	homes := whoEach(t, ips, listen)
	if counts := spread(homes); len(counts) != 3 {
		t.Errorf("the clients are at %v, want them at three targets", counts)
	}
	asked := server.questions()
	await(t, "the name is looked up again", func() bool { return server.questions() >= asked+4 })
	mustAgree(t, "after more answers", whoEach(t, ips, listen), homes)

	// One that is dead is left by its own clients alone.
	targets["127.1.0.12"].kill()
	for ip, home := range whoEach(t, ips, listen) {
		if home == "127.1.0.12" || homes[ip] != "127.1.0.12" && home != homes[ip] {
			t.Errorf("%s went from %s to %s", ip, homes[ip], home)
		}
	}
}

// Two balancers that see the same answers place clients alike, in whatever order the addresses come.
func TestNamesAgree(t *testing.T) {
	t.Parallel()
	port, targets := byName(t, "127.1.1.11", "127.1.1.12", "127.1.1.13")
	server := startNameServer(t)
	server.set(slices.Collect(maps.Keys(targets))...)
	one, other, ips := freeAddr(t), freeAddr(t), clientIPs(60)
	startCaddyAsking(t, server, balanceName(one, port))
	startCaddyAsking(t, server, balanceName(other, port))
	mustAgree(t, "the other one", whoEach(t, ips, other), whoEach(t, ips, one))
}

// Addresses that appear take new clients only; one that has left gets none, and its connections go on.
func TestAddressesComeAndGo(t *testing.T) {
	t.Parallel()
	port, _ := byName(t, "127.1.2.11", "127.1.2.12", "127.1.2.13")
	server := startNameServer(t)
	server.set("127.1.2.11")
	listen, ips := freeAddr(t), clientIPs(60)
	p := startCaddyAsking(t, server, balanceName(listen, port, "resolve_interval 1s", "resolve_hold 2s", "session_expiry 1h"))
	homes := whoEach(t, ips[:30], listen)
	server.set("127.1.2.11", "127.1.2.12")
	await(t, "an address appears", func() bool {
		return strings.Contains(p.Log(), `"address appeared"`) && strings.Contains(p.Log(), "127.1.2.12")
	})
	mustAgree(t, "after an address appeared", whoEach(t, ips[:30], listen), homes)
	if counts := spread(whoEach(t, ips[30:], listen)); counts["127.1.2.12"] == 0 {
		t.Errorf("the new clients are at %v", counts)
	}
	kept := dialFrom(t, ips[0], listen)
	if got := mustReadLine(t, kept); got != "127.1.2.11" {
		t.Errorf("the connection is at %s", got)
	}
	server.set("127.1.2.12", "127.1.2.13")
	await(t, "an address leaves", func() bool { return strings.Contains(p.Log(), `"address left"`) })
	if counts := spread(whoEach(t, ips, listen)); counts["127.1.2.11"] > 0 {
		t.Errorf("the clients are at %v, and 127.1.2.11 has left", counts)
	}
	if log := p.Log(); strings.Count(log, "upstream removed") != 1 || !strings.Contains(log, `:`+strconv.Itoa(port)+`","address":"127.1.2.11:`+strconv.Itoa(port)+`","connections":1,"sessions_live":1,`) {
		t.Errorf("the log does not tell that a target was removed which has a client:\n%s", log)
	}
	mustEcho(t, kept)
	kept.Close()
}

// A resolver that fails, is silent or answers with nothing keeps the last good answer, with a line in the log and not one for each.
func TestResolverFails(t *testing.T) {
	t.Parallel()
	port, _ := byName(t, "127.1.3.11", "127.1.3.12")
	server := startNameServer(t)
	server.set("127.1.3.11", "127.1.3.12")
	listen, ips := freeAddr(t), clientIPs(40)
	p := startCaddyAsking(t, server, balanceName(listen, port, "resolve_interval 1s", "resolve_hold 1s"))
	homes := whoEach(t, ips, listen)
	for _, failure := range []func(){
		func() { server.fail(dns.RcodeNameError) },
		func() { server.fail(dns.RcodeServerFailure) },
		func() { server.set() },
		func() { server.fail(-1) },
	} {
		failure()
		asked := server.questions()
		await(t, "more questions", func() bool { return server.questions() >= asked+4 })
		mustAgree(t, "while the resolver fails", whoEach(t, ips, listen), homes)
	}
	if n := strings.Count(p.Log(), `"looking up a name failed"`); n != 1 {
		t.Errorf("%d lines in the log, want one in a minute", n)
	}
}

// A name that was never resolved gets no clients while others can have them, and is looked up on.
func TestNameAppearsLate(t *testing.T) {
	t.Parallel()
	port, _ := byName(t, "127.1.4.11")
	other := startTarget(t, "other", greet("other"))
	server := startNameServer(t)
	listen, ips := freeAddr(t), clientIPs(40)
	p := startCaddyAsking(t, server, balanceName(listen, port, "resolve_interval 1s", "session_expiry 1ms", upstream(other.addr)))
	if counts := spread(whoEach(t, ips, listen)); len(counts) != 1 || counts["other"] == 0 {
		t.Errorf("the clients are at %v", counts)
	}
	p.mustCount(t, 1, `deactivations_total{pool="default",reason="unresolved",upstream="svc.test:%d"}`, port)
	server.set("127.1.4.11")
	await(t, "the name is resolved", func() bool { return strings.Contains(p.Log(), `"address appeared"`) })
	if counts := spread(whoEach(t, ips, listen)); len(counts) != 2 {
		t.Errorf("the clients are at %v", counts)
	}
}

// When a container comes back at another address, its next client finds it: the name is looked up at once when nothing else
// is left.
func TestContainerMoves(t *testing.T) {
	t.Parallel()
	port, targets := byName(t, "127.1.5.11", "127.1.5.12")
	server := startNameServer(t)
	server.set("127.1.5.11")
	listen := freeAddr(t)
	startCaddyAsking(t, server, balanceName(listen, port, "resolve_interval 1h"))
	ip := clientIPs(1)[0]
	if got := who(t, ip, listen); got != "127.1.5.11" {
		t.Fatalf("the client is at %s", got)
	}
	time.Sleep(time.Second) // no name is looked up twice within a second
	targets["127.1.5.11"].kill()
	server.set("127.1.5.12")
	if got := who(t, ip, listen); got != "127.1.5.12" {
		t.Errorf("the client is at %q", got)
	}
}

// Two hundred addresses come in more than one packet.
func TestNameWithManyAddresses(t *testing.T) {
	t.Parallel()
	var addresses []string
	for i := range 200 {
		addresses = append(addresses, fmt.Sprintf("127.1.6.%d", 1+i))
	}
	port, _ := byName(t, addresses...)
	server := startNameServer(t)
	server.set(addresses...)
	listen, ips := freeAddr(t), clientIPs(300)
	startCaddyAsking(t, server, balanceName(listen, port))
	homes := whoEach(t, ips, listen)
	if n := len(spread(homes)); n < 100 {
		t.Errorf("the clients are at %d targets", n)
	}
	mustAgree(t, "once more", whoEach(t, ips, listen), homes)
}

// With resolve_interval off, and with placement legacy, a name is one target.
func TestNameIsOneTarget(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"resolve_interval off", "placement legacy"} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			octet := 7
			if option == "placement legacy" {
				octet = 8
			}
			port, targets := byName(t, fmt.Sprintf("127.1.%d.11", octet), fmt.Sprintf("127.1.%d.12", octet))
			server := startNameServer(t)
			server.set(slices.Collect(maps.Keys(targets))...)
			listen, ips := freeAddr(t), clientIPs(20)
			startCaddyAsking(t, server, balanceName(listen, port, option))
			kept := who(t, ips[0], listen)
			homes := whoEach(t, ips, listen)
			if option == "placement legacy" {
				// The address that worked is kept until it fails, also while the answers change.
				for a := range targets {
					if a != kept {
						server.set(a)
					}
				}
				asked := server.questions()
				await(t, "the name is looked up anew", func() bool {
					maps.Copy(homes, whoEach(t, ips[:1], listen))
					return server.questions() > asked
				})
				maps.Copy(homes, whoEach(t, ips, listen))
				if counts := spread(homes); len(counts) != 1 || counts[kept] == 0 {
					t.Errorf("the clients are at %v, want them at %s", counts, kept)
				}
				targets[kept].kill()
				for _, home := range whoEach(t, ips, listen) {
					if home == kept {
						t.Error("a client is at an address that is dead")
					}
				}
			}
		})
	}
}

// A name with one address of each family is one target, which is dialled at either.
func TestDualStackName(t *testing.T) {
	t.Parallel()
	port, targets := byName(t, "127.1.9.11", "::1")
	server := startNameServer(t)
	server.set("127.1.9.11", "::1")
	listen, ips := freeAddr(t), clientIPs(20)
	p := startCaddyAsking(t, server, balanceName(listen, port))
	homes := whoEach(t, ips, listen)
	if n := len(spread(homes)); n != 1 {
		t.Errorf("the clients are at %v", spread(homes))
	}
	targets[homes[ips[0]]].kill()
	for ip, home := range whoEach(t, ips, listen) {
		if home == homes[ip] || home == "" {
			t.Errorf("%s is at %q", ip, home)
		}
	}
	if strings.Contains(p.Log(), "upstream deactivated") {
		t.Error("the target is deactivated, and one of its addresses accepts")
	}
}
