package integration

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// ways are the two ways in which sticky_proxy carries a connection, with what has to stand in front of it: an event
// loop takes plain sockets, goroutines take what another handler has wrapped.
var ways = map[string]string{
	"loop":       "",
	"goroutines": "throttle {\nread_bytes_per_second 1e9\nread_burst_size 1000000\n}\n",
}

// eachWay runs a test for both ways, side by side. Front goes in front of sticky_proxy.
func eachWay(t *testing.T, test func(t *testing.T, front string)) {
	t.Parallel()
	for name, front := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, front)
		})
	}
}

// promptly is the bound for clients that only the failover delay keeps waiting. Busy machines may let a healthy target
// wait as well, so the delay is longer than its default; the bound is far above it, and far below the dial timeout.
const (
	promptly  = 6 * time.Second
	longDials = "dial_timeout 60s\nfailover_delay 1s\n"
)

// Many clients, new ones and such that were there before, don't notice that their target swallows SYNs.
func TestBlackHoleUnderLoad(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, good := freeAddr(t), greeters(t, 2)
		hole := startHole(t, "hole", greet("hole"))
		hole.unblock(t)
		startCaddy(t, caddyfile(server{"seamless/" + listen, front + sticky(longDials, good[0], good[1], hole.target)}))
		ips := clientIPs(240)
		homes := whoEach(t, ips[:120], listen) // the others are new
		if len(homedAt(homes, "hole")) < 10 {
			t.Fatalf("only %d clients are at the target that will fail", len(homedAt(homes, "hole")))
		}
		settle(t, append(good, hole.target))
		hole.block(t)

		slowest := make([]time.Duration, 5*len(ips))
		moved := make([]string, len(slowest))
		each(len(slowest), func(i int) {
			ip := ips[i*7%len(ips)] // 7 has no factor in common with their number: all come before one comes again
			asked := time.Now()
			name, err := tryWho(ip, listen)
			slowest[i], moved[i] = time.Since(asked), name
			if err != nil {
				t.Error(err)
			} else if home := homes[ip]; name == "hole" || home != "" && home != "hole" && name != home {
				t.Errorf("%s went from %q to %q", ip, home, name)
			}
		})
		mustBePrompt(t, slowest)
		for i := len(ips); i < len(moved); i++ {
			if before := moved[i-len(ips)]; moved[i] != before {
				t.Errorf("a client that was at %s came back to %s", before, moved[i])
			}
		}
	})
}

func mustBePrompt(t testing.TB, times []time.Duration) {
	t.Helper()
	var slowest time.Duration
	for _, took := range times {
		slowest = max(slowest, took)
	}
	t.Logf("the slowest of %d clients waited %v", len(times), slowest)
	if slowest > promptly {
		t.Errorf("a client waited %v because of a target that swallows SYNs", slowest)
	}
}

// A single new client gets another target beside the one that does not answer, and stays there.
func TestBlackHoleForNewClient(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, good := freeAddr(t), greeters(t, 2)
		hole := startHole(t, "hole", greet("hole"))
		p := startCaddy(t, caddyfile(server{listen, front + sticky(longDials+backups(good...), hole.target)}))
		var times []time.Duration
		var home string
		for range 3 {
			asked := time.Now()
			name := who(t, "127.0.0.2", listen)
			times = append(times, time.Since(asked))
			if home == "" {
				home = name
			}
			if name != home {
				t.Errorf("the client went from %s to %s", home, name)
			}
		}
		mustBePrompt(t, times)
		p.mustCount(t, 1, `failovers_total{pool="default",reason="late"}`)
	})
}

// One lost SYN moves nobody: a client that has been at its target waits until the kernel sends another one.
func TestLostSYN(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, good := freeAddr(t), greeters(t, 2)
		hole := startHole(t, "hole", greet("hole"))
		hole.unblock(t)
		startCaddy(t, caddyfile(server{listen, front + sticky("dial_timeout 60s\n"+backups(good...), hole.target)}))
		if name := who(t, "127.0.0.2", listen); name != "hole" {
			t.Fatalf("the client is at %s at first", name)
		}
		settle(t, []*target{hole.target})

		hole.block(t)
		conn := dialFrom(t, "127.0.0.2", listen)
		await(t, "the dial of the target", func() bool { return dialling(t, hole.addr) == 1 })
		time.Sleep(600 * time.Millisecond) // the failover delay, and some more to do wrong things in
		hole.unblock(t)
		if name := mustReadLine(t, conn); name != "hole" {
			t.Errorf("after one lost SYN the client is at %s", name)
		}
		if tried := good[0].accepted.Load() + good[1].accepted.Load(); tried > 0 {
			t.Errorf("after one lost SYN %d connections came to other targets", tried)
		}
		if name := who(t, "127.0.0.2", listen); name != "hole" {
			t.Errorf("with the next connection the client is at %s", name)
		}
	})
}

// dialling counts the sockets that wait for an answer from an address on the IPv4 loopback.
func dialling(t testing.TB, addr string) int {
	t.Helper()
	sockets, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	const synSent = "02"
	return strings.Count(string(sockets), fmt.Sprintf(" 0100007F:%04X %s ", portOf(addr), synSent))
}

// Without a failover delay all clients wait for the target as long as a dial may take.
func TestFailoverDelayOff(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		const dialTimeout = 1200 * time.Millisecond
		listen, good, ips := freeAddr(t), greeters(t, 1), clientIPs(10)
		hole := startHole(t, "hole", greet("hole"))
		options := "failover_delay off\ndial_timeout 1200ms\n" + backups(good...)
		startCaddy(t, caddyfile(server{listen, front + sticky(options, hole.target)}))

		asked := time.Now()
		each(len(ips), func(i int) {
			name, err := tryWho(ips[i], listen)
			if name != good[0].name || err != nil {
				t.Errorf("%q answered, %v", name, err)
			}
			// The dials began together, or at most a little later; the first to fail ends them all.
			if took := time.Since(asked); took < dialTimeout {
				t.Errorf("a client was served after %v by another target than its own", took)
			}
		})
	})
}

// Dials under way go on to another target when theirs is deactivated, however long they might go on.
func TestDeactivatedWhileDialling(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		patient, brisk, good, ips := freeAddr(t), freeAddr(t), greeters(t, 1), clientIPs(11)
		hole := startHole(t, "hole", greet("hole"))
		handler := func(dialTimeout string) string {
			return front + sticky("failover_delay off\ndial_timeout "+dialTimeout+"\n"+backups(good...), hole.target)
		}
		startCaddy(t, caddyfile(server{patient, handler("5m")}, server{brisk, handler("50ms")}))

		var waiting []*net.TCPConn
		for _, ip := range ips[1:] {
			waiting = append(waiting, dialFrom(t, ip, patient))
		}
		await(t, "the dials of the target", func() bool { return dialling(t, hole.addr) == len(waiting) })
		if name := who(t, ips[0], brisk); name != good[0].name {
			t.Errorf("%s answered", name)
		}
		for _, conn := range waiting { // each has a deadline that is far shorter than the dial timeout
			if name := mustReadLine(t, conn); name != good[0].name {
				t.Errorf("%s answered", name)
			}
		}
	})
}
