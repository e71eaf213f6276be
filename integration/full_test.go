package integration

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// limited returns a sticky_proxy whose targets may have so many connections, two here.
func limited(listen, options string, targets ...*target) string {
	var lines strings.Builder
	for _, one := range targets {
		lines.WriteString(upstream(one.addr, "max_connections 2"))
	}
	return balance(listen, options+"\n"+lines.String())
}

// waits reports whether a connection is still open and has got nothing.
func waits(t *testing.T, conn *net.TCPConn) bool {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	defer func() { _ = conn.SetReadDeadline(time.Now().Add(patience)) }() // for what comes after the wait
	_, err := conn.Read(make([]byte, 1))
	return err != nil && isTimeout(err)
}

// Connections whose target is full wait for their turn, first come first served, and stay with the others of their client.
func TestWaitWhenFull(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(1)
	p := startCaddy(t, limited(listen, "when_full wait 30s", targets...))
	first, home := hold(t, ips[0], listen)
	second, _ := hold(t, ips[0], listen)
	var waiting []*net.TCPConn
	for range 3 {
		conn := dialFrom(t, ips[0], listen)
		if !waits(t, conn) {
			t.Fatal("a connection does not wait while its target is full")
		}
		waiting = append(waiting, conn)
	}
	for i, leaves := range []*net.TCPConn{first, second, waiting[0]} {
		leaves.Close()
		if got := mustReadLine(t, waiting[i]); got != home {
			t.Errorf("the connection that waited is at %s, the others are at %s", got, home)
		}
		if i < 2 && !waits(t, waiting[i+1]) {
			t.Error("one that came later has its turn, too")
		}
	}
	if log := p.Log(); strings.Contains(log, "blocked a client") {
		t.Errorf("a connection that waited is told to be blocked:\n%s", log)
	}
}

// New clients wait while all targets are full, and get the first that has room. A client that goes gives its place up.
func TestWaitWhenAllAreFull(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(6)
	startCaddy(t, limited(listen, "when_full wait 30s", targets...))
	held := make(map[string]*net.TCPConn)
	for _, ip := range ips[:4] {
		conn, at := hold(t, ip, listen)
		held[at] = conn
	}
	goes, stays := dialFrom(t, ips[4], listen), dialFrom(t, ips[5], listen)
	if !waits(t, goes) || !waits(t, stays) {
		t.Fatal("new clients do not wait while all targets are full")
	}
	goes.Close()
	room := targets[0].name
	held[room].Close()
	if got := mustReadLine(t, stays); got != room {
		t.Errorf("the client is at %s, room is at %s", got, room)
	}
}

// A connection that waits goes on when its target fails, and is closed when its time is over or too many wait.
func TestWaitEnds(t *testing.T) {
	t.Parallel()
	t.Run("the target fails", func(t *testing.T) {
		t.Parallel()
		listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(1)
		p := startCaddy(t, limited(listen, "when_full wait 30s", targets...))
		_, home := hold(t, ips[0], listen)
		hold(t, ips[0], listen)
		conn := dialFrom(t, ips[0], listen)
		if !waits(t, conn) {
			t.Fatal("the connection does not wait")
		}
		named(t, targets, home).kill()
		if got := mustReadLine(t, conn); got == home {
			t.Errorf("the connection is at %s, which is dead", got)
		}
		if !strings.Contains(p.Log(), "upstream deactivated") {
			t.Error("the target that died is not deactivated")
		}
	})
	for reason, options := range map[string]string{
		"wait_timeout, which is 200ms": "when_full wait 200ms",
		"max_waiting, which is 1":      "when_full wait 1h\nmax_waiting 1",
		"when_full, which is close":    "when_full close",
	} {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(2)
			p := startCaddy(t, limited(listen, options, targets...))
			_, home := hold(t, ips[0], listen)
			hold(t, ips[0], listen)
			if strings.Contains(options, "max_waiting") {
				if !waits(t, dialFrom(t, ips[0], listen)) {
					t.Fatal("the first connection does not wait")
				}
			}
			mustClose(t, dialFrom(t, ips[0], listen))
			await(t, "the log tells why", func() bool { return strings.Contains(p.Log(), `"reason":"`+reason+`"`) })
			option, _, _ := strings.Cut(reason, ",")
			if got := p.metric(t, `caddy_sticky_blocked_total{pool="default",reason="`+option+`"}`); got != "1" {
				t.Errorf("%q connections are counted as blocked, want 1", got)
			}
			if got := who(t, ips[1], listen); got == home {
				t.Errorf("a new client is at %s, which is full", got)
			}
		})
	}
}

// A client that is split over two targets since its own is full stands in the log.
func TestMoveWhenFull(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(1)
	p := startCaddy(t, limited(listen, "", targets...))
	_, home := hold(t, ips[0], listen)
	hold(t, ips[0], listen)
	if _, at := hold(t, ips[0], listen); at == home {
		t.Fatalf("three connections are at %s, which may have two", at)
	}
	await(t, "the log tells of the split", func() bool {
		return strings.Contains(p.Log(), "a client has connections to two upstreams, since its upstream is full")
	})
	other := targets[slices.IndexFunc(targets, func(one *target) bool { return one.name != home })]
	if !strings.Contains(p.Log(), `"upstream":"`+other.addr+`","client":"`+ips[0]+`","other":"`+named(t, targets, home).addr+`"`) {
		t.Errorf("the log does not name both:\n%s", p.Log())
	}
}

// What a reload or an operator changes counts for connections that wait, too: the next of them is served at once where there is room now.
func TestReloadWhileClientsWait(t *testing.T) {
	t.Parallel()
	const wait = "when_full wait 1h"
	for name, c := range map[string]struct {
		before string                                                                                                       // of the second target, beside its limit
		change func(t *testing.T, p *balancerProcess, config func(options string, second ...string) string, second *target) // has room made
	}{
		"a higher limit": {"", func(t *testing.T, p *balancerProcess, config func(string, ...string) string, _ *target) {
			p.reload(t, config(wait, "max_connections 3"))
		}},
		"no limit": {"", func(t *testing.T, p *balancerProcess, config func(string, ...string) string, _ *target) {
			p.reload(t, config(wait))
		}},
		"a weight": {"weight 0", func(t *testing.T, p *balancerProcess, config func(string, ...string) string, _ *target) {
			p.reload(t, config(wait, "max_connections 2", "weight 1"))
		}},
		"no drain": {"drain", func(t *testing.T, p *balancerProcess, config func(string, ...string) string, _ *target) {
			p.reload(t, config(wait, "max_connections 2"))
		}},
		"a weight by an operator": {"weight 0", func(t *testing.T, p *balancerProcess, _ func(string, ...string) string, second *target) {
			p.patch(t, second, `{"weight": 1}`)
		}},
		"a limit by an operator": {"", func(t *testing.T, p *balancerProcess, _ func(string, ...string) string, second *target) {
			p.patch(t, second, `{"max_connections": 3}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(8)
			config := func(options string, second ...string) string {
				return balance(listen, options+"\n"+upstream(targets[0].addr, "max_connections 2")+upstream(targets[1].addr, second...))
			}
			before := []string{"max_connections 2", c.before}
			p := startCaddy(t, config(wait, before...))
			full := 4
			if c.before != "" {
				full = 2 // the other one takes no new clients
			}
			for _, ip := range ips[:full] {
				hold(t, ip, listen)
			}
			conn := dialFrom(t, ips[full], listen)
			if !waits(t, conn) {
				t.Fatal("the connection does not wait while all targets are full")
			}
			c.change(t, p, config, targets[1])
			if got := mustReadLine(t, conn); got != targets[1].name {
				t.Errorf("the client is at %s, room is at %s", got, targets[1].name)
			}
		})
	}
}

// A connection that waits for another target than those which are full goes there: to one that is added, or that leaves maintenance.
func TestTargetComesWhileClientsWait(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"added", "maintenance"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(5)
			first := 1
			if how == "maintenance" {
				first = 2
			}
			p := startCaddy(t, limited(listen, "when_full wait 1h", targets[:first]...))
			if how == "maintenance" {
				p.patch(t, targets[1], `{"state": "maintenance"}`)
			}
			hold(t, ips[0], listen)
			hold(t, ips[1], listen)
			conns := []*net.TCPConn{dialFrom(t, ips[2], listen), dialFrom(t, ips[3], listen), dialFrom(t, ips[4], listen)}
			for _, conn := range conns {
				if !waits(t, conn) {
					t.Fatal("a connection does not wait while all targets are full")
				}
			}
			if how == "maintenance" {
				p.patch(t, targets[1], `{"state": "active"}`)
			} else {
				p.reload(t, limited(listen, "when_full wait 1h", targets...))
			}
			await(t, "two of them are served", func() bool { return p.pool(t).Waiting == 1 && p.upstream(t, targets[1]).Connections == 2 })
			for _, conn := range conns {
				if !waits(t, conn) {
					conn.Close()
				}
			}
		})
	}
}

// What becomes of connections whose target is full is that of the running config, for those that wait already, too.
func TestReloadChangesWait(t *testing.T) {
	t.Parallel()
	for options, moves := range map[string]bool{"when_full move": true, "when_full close": false, "when_full wait 1ms": false} {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(1)
			p := startCaddy(t, limited(listen, "when_full wait 1h", targets...))
			_, home := hold(t, ips[0], listen)
			hold(t, ips[0], listen)
			conn := dialFrom(t, ips[0], listen)
			if !waits(t, conn) {
				t.Fatal("the connection does not wait")
			}
			p.reload(t, limited(listen, options, targets...))
			if !moves {
				mustClose(t, conn)
				return
			}
			if got := mustReadLine(t, conn); got == home {
				t.Errorf("the client is at %s, which is full", got)
			}
		})
	}
}

// A connection that waits for a target which a reload removes goes elsewhere, and waits on where nothing has changed for it.
func TestTargetGoesWhileClientsWait(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(1)
	p := startCaddy(t, limited(listen, "when_full wait 1h", targets...))
	first, home := hold(t, ips[0], listen)
	hold(t, ips[0], listen)
	var conns []*net.TCPConn
	for range 2 {
		conn := dialFrom(t, ips[0], listen)
		if !waits(t, conn) {
			t.Fatal("a connection does not wait")
		}
		conns = append(conns, conn)
	}
	p.reload(t, limited(listen, "when_full wait 1h\nmax_sessions 100", targets...))
	if !waits(t, conns[0]) || !waits(t, conns[1]) {
		t.Fatal("a connection does not wait any more after a reload that changes nothing for it")
	}
	first.Close()
	if got := mustReadLine(t, conns[0]); got != home {
		t.Errorf("the client is at %s, room is at %s", got, home)
	}
	other := targets[slices.IndexFunc(targets, func(one *target) bool { return one.name != home })]
	p.reload(t, limited(listen, "when_full wait 1h", other))
	if got := mustReadLine(t, conns[1]); got != other.name {
		t.Errorf("the client is at %s, which is removed", got)
	}
}
