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
	defer func() { _ = conn.SetReadDeadline(time.Time{}) }()
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
