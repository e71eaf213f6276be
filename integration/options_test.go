package integration

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// Clients spread by weight.
func TestWeights(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(500)
	startCaddy(t, balance(listen, upstream(targets[0].addr, "weight 1")+upstream(targets[1].addr, "weight 3")))

	homes := whoEach(t, ips, listen)
	// Chance alone goes beyond these bounds once in some million runs: they are 5 standard deviations off.
	if heavy := len(homedAt(homes, "b")); heavy < 327 || heavy > 423 {
		t.Errorf("%d of 500 clients are at the target with three quarters of the weight", heavy)
	}
}

// A full target gets no more connections until one of its own closes.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	startCaddy(t, balance(listen, upstream(targets[0].addr, "max_connections 2")+backups(targets[1])))

	first, at := hold(t, "127.0.0.2", listen)
	_, alsoAt := hold(t, "127.0.0.3", listen)
	if at != "a" || alsoAt != "a" {
		t.Fatalf("the first two clients are at %s and %s", at, alsoAt)
	}
	for _, ip := range []string{"127.0.0.4", "127.0.0.5"} {
		if _, at := hold(t, ip, listen); at != "b" {
			t.Errorf("%s is at %s, which is full", ip, at)
		}
	}
	first.Close()
	await(t, "a to lose a connection", func() bool { return targets[0].open() == 1 })
	// The balancer's own count follows a moment later, so more than one new client may have to ask.
	spares := clientIPs(30)[10:]
	awaitActive(t, targets[0], spares, listen)
}

// When every target is full, a client is closed as if none was there, and the full ones are not taken
// for failed.
func TestAllFull(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(4)
	startCaddy(t, balance(listen, upstream(targets[0].addr, "max_connections 1")+upstream(targets[1].addr, "max_connections 1")))
	first, _ := hold(t, ips[0], listen)
	hold(t, ips[1], listen)
	mustClose(t, dialFrom(t, ips[2], listen))
	first.Close()
	await(t, "the place of the client that left", func() bool {
		_, err := tryWho(ips[3], listen)
		return err == nil
	})
}

// When the table is full, the session that has been idle longest makes room, and none that has an open
// connection.
func TestMaxSessions(t *testing.T) {
	t.Parallel()
	const limit = 20
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(150)
	startCaddy(t, balance(listen, "max_sessions 20\ndeactivation_duration 10ms", targets...))
	clients := homedAt(whoEach(t, ips, listen), "a")
	spares, clients := clients[:5], clients[5:5+2*limit]

	// Only a session remembers a client's move to b.
	targets[0].kill()
	_, _ = hold(t, clients[0], listen)
	for _, ip := range clients[1:] {
		who(t, ip, listen)
	}
	targets[0].start(t)
	awaitActive(t, targets[0], spares, listen)
	for _, remembered := range []string{clients[len(clients)-1], clients[0]} {
		if name := who(t, remembered, listen); name != "b" {
			t.Errorf("a client whose session should have been kept is at %s", name)
		}
	}
	if name := who(t, clients[1], listen); name != "a" {
		t.Errorf("the client whose session was idle longest is at %s still", name)
	}
}

// Targets and listeners can be Unix sockets.
func TestUnixSockets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, "unix\n")
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	// A client on a Unix socket has no address to be known by, and is served all the same.
	listen, socket := freeAddr(t), filepath.Join(t.TempDir(), "l")
	handler := "sticky_proxy unix/" + path
	startCaddy(t, caddyfile(server{listen, handler}, server{"unix/" + socket, handler}))
	local, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	for _, conn := range []net.Conn{dialFrom(t, "127.0.0.2", listen), local} {
		name := mustReadLine(t, conn)
		_, _ = io.WriteString(conn, "hello")
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
		if echo, err := io.ReadAll(conn); name != "unix" || string(echo) != "hello" || err != nil {
			t.Errorf("%q answered %q, %v", name, echo, err)
		}
	}
}

// IPv6 clients are clients like others, and an IPv4 client of a dual-stack listener is the same client
// as anywhere else.
func TestDualStack(t *testing.T) {
	t.Parallel()
	if !hasIPv6() {
		t.Skip("this machine has no IPv6")
	}
	port, v4 := freePort(t), freeAddr(t)
	targets, ips := greeters(t, 3), clientIPs(30)
	handler := sticky("", targets...)
	startCaddy(t, caddyfile(server{fmt.Sprintf(":%d", port), handler}, server{v4, handler}))

	dual := fmt.Sprintf("127.0.0.1:%d", port)
	mustAgree(t, "on the dual-stack listener", whoEach(t, ips, dual), whoEach(t, ips, v4))

	v6 := fmt.Sprintf("[::1]:%d", port)
	home := who(t, "::1", v6)
	named(t, targets, home).kill()
	moved := who(t, "::1", v6)
	if moved == home {
		t.Errorf("the client stayed at %s, which is dead", home)
	}
	for range 5 {
		if name := who(t, "::1", v6); name != moved {
			t.Errorf("the client moved from %s to %s", moved, name)
		}
	}
}

// When all targets are full the log says so, and how much they may have.
func TestAllAreFull(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	p := startCaddy(t, balance(listen, upstream(targets[0].addr, "max_connections 1")+upstream(targets[1].addr, "max_connections 2")))
	ips := clientIPs(4)
	for _, ip := range ips[:3] {
		hold(t, ip, listen)
	}
	mustEnd(t, dialFrom(t, ips[3], listen))
	await(t, "the log to tell it", func() bool { return strings.Contains(p.Log(), `"all upstreams are full"`) })
	if log := p.Log(); !strings.Contains(log, `"upstreams":2,"max_connections":3`) || strings.Contains(log, "no upstream accepts") {
		t.Errorf("the log does not tell how many, or something else:\n%s", log)
	}
	if got := p.metric(t, `caddy_sticky_blocked_total{pool="default",reason="upstreams_full"}`); got != "1" {
		t.Errorf("the metric is %q", got)
	}
}

// A range of ports is as many targets.
func TestPortRange(t *testing.T) {
	t.Parallel()
	var first int
	targets := startRange(t, 4, &first)
	listen, ips := freeAddr(t), clientIPs(60)
	startCaddy(t, caddyfile(server{listen, fmt.Sprintf("sticky_proxy 127.0.0.1:%d-%d", first, first+3)}))
	homes := whoEach(t, ips, listen)
	if n := len(spread(homes)); n != len(targets) {
		t.Errorf("the clients are at %v", spread(homes))
	}
	mustAgree(t, "once more", whoEach(t, ips, listen), homes)
}

// startRange starts targets at neighbouring ports.
func startRange(t *testing.T, n int, first *int) (targets []*target) {
	t.Helper()
	for range 50 {
		*first = freePort(t)
		var listeners []net.Listener
		for i := range n {
			if listener, err := listenTCP(fmt.Sprintf("127.0.0.1:%d", *first+i)); err == nil {
				listeners = append(listeners, listener)
			}
		}
		if len(listeners) < n {
			for _, listener := range listeners {
				listener.Close()
			}
			continue
		}
		for _, listener := range listeners {
			name := listener.Addr().String()
			s := &target{name: name, addr: name, serve: greet(name), conns: make(map[*net.TCPConn]struct{})}
			s.accept(listener)
			t.Cleanup(s.kill)
			targets = append(targets, s)
		}
		return targets
	}
	t.Fatal("there are no neighbouring ports")
	return nil
}

// With weight 0, or drained, a target keeps the clients that have a session there, and gets no others.
func TestNoNewClients(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"weight 0", "drain"} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(80)
			p := startCaddy(t, balance(listen, "session_expiry 1h", targets...))
			homes := whoEach(t, ips[:40], listen)
			p.reload(t, caddyfile(server{listen, sticky("session_expiry 1h\n"+upstream(targets[0].addr, option), targets[1])}))
			mustAgree(t, "with "+option, whoEach(t, ips[:40], listen), homes)
			for ip, home := range whoEach(t, ips[40:], listen) {
				if home != targets[1].name {
					t.Errorf("%s is new, and at %s", ip, home)
				}
			}
		})
	}
}
