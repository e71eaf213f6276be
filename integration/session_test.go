package integration

import (
	"net"
	"testing"
	"time"
)

// A client goes to one target, whatever others do meanwhile.
func TestClientsStick(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(100)
	startCaddy(t, balance(listen, "", targets...))

	homes := whoEach(t, ips, listen)
	for range 5 {
		mustAgree(t, "coming again", whoEach(t, ips, listen), homes)
	}
	for _, target := range targets {
		if len(homedAt(homes, target.name)) < len(ips)/10 {
			t.Errorf("only %d of %d clients are at %s", len(homedAt(homes, target.name)), len(ips), target.name)
		}
	}
}

// The same targets place the same clients alike in another process: nothing random, nothing from the
// past is in it.
func TestPlacementSurvivesRestart(t *testing.T) {
	t.Parallel()
	targets, ips := greeters(t, 3), clientIPs(100)
	first, second := freeAddr(t), freeAddr(t)
	startCaddy(t, balance(first, "", targets...))
	startCaddy(t, balance(second, "", targets...))
	mustAgree(t, "in another process", whoEach(t, ips, second), whoEach(t, ips, first))
}

// A failover makes sessions visible: as long as it lives, a session stays with the target to which it
// failed over though its first one is back; when it has expired, the client goes home.
func TestSessionLife(t *testing.T) {
	t.Parallel()
	const expiry = time.Second
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(150)
	startCaddy(t, balance(listen, "session_expiry 1s\ndeactivation_duration 50ms", targets...))

	homes := whoEach(t, ips, listen)
	home := targets[0]
	clients := homedAt(homes, home.name)
	spares, clients := clients[:10], clients[10:]

	home.kill()
	conns, moved := make([]*net.TCPConn, len(clients)), make(map[string]string)
	for i, ip := range clients {
		conns[i], moved[ip] = hold(t, ip, listen)
	}
	home.start(t)
	awaitActive(t, home, spares, listen)

	mustAgree(t, "after the failover", whoEach(t, clients, listen), moved)
	time.Sleep(2 * expiry)
	mustAgree(t, "held for longer than the expiry", whoEach(t, clients, listen), moved)

	// whoEach's own connections must not be the last to close.
	await(t, "the targets to see the short connections close", func() bool {
		return targets[1].open()+targets[2].open() == len(clients)
	})
	closing := time.Now()
	for _, conn := range conns {
		conn.Close()
	}
	await(t, "the targets to see the clients leave", func() bool { return targets[1].open()+targets[2].open() == 0 })
	closed := time.Now()
	stayed, went := 0, 0
	for i, ip := range clients {
		// Each client is asked once, since asking renews its session.
		time.Sleep(time.Until(closing.Add(2 * expiry * time.Duration(i) / time.Duration(len(clients)))))
		asked := time.Now()
		name := who(t, ip, listen)
		switch answered := time.Now(); {
		case answered.Before(closing.Add(expiry)):
			stayed++
			if name != moved[ip] {
				t.Errorf("%v after its last connection closed a client is at %s, want still %s", answered.Sub(closing), name, moved[ip])
			}
		case asked.After(closed.Add(expiry + 250*time.Millisecond)):
			went++
			if name != home.name {
				t.Errorf("%v after its last connection closed a client is at %s, want %s", asked.Sub(closed), name, home.name)
			}
		}
	}
	if stayed == 0 || went == 0 {
		t.Errorf("%d clients were asked before the expiry and %d after it; want some of both", stayed, went)
	}
}

// awaitActive waits until a target that was deactivated takes clients again. Asking binds a client to
// the target that answers, so each of the spare ones is asked once.
func awaitActive(t testing.TB, target *target, spares []string, addr string) {
	t.Helper()
	for _, ip := range spares {
		if who(t, ip, addr) == target.name {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("%s takes no clients again", target.name)
}

// Two listeners with one pool are one service: they share sessions and the health of targets.
func TestServersSharePool(t *testing.T) {
	t.Parallel()
	targets, ips := greeters(t, 3), clientIPs(60)
	first, second := freeAddr(t), freeAddr(t)
	handler := sticky("pool web", targets...)
	startCaddy(t, caddyfile(server{first, handler}, server{second, handler}))

	homes := whoEach(t, ips, first)
	mustAgree(t, "on the other port", whoEach(t, ips, second), homes)

	targets[0].kill()
	moved := whoEach(t, ips, first)
	targets[0].start(t)
	mustAgree(t, "on the other port after a failover", whoEach(t, ips, second), moved)
}

// Clients of one network can be one client.
func TestClientPrefix(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 5)
	startCaddy(t, balance(listen, "client_prefix 24 64", targets...))

	homes := whoEach(t, clientIPs(500), listen)
	for _, network := range []string{"127.0.0.", "127.0.1."} {
		for ip, name := range homes {
			if ip[:len(network)] == network && name != homes[network+"2"] {
				t.Errorf("%s is at %s and %s at %s, want one target", ip, name, network+"2", homes[network+"2"])
			}
		}
	}
}

// Random placement keeps nothing.
func TestPlacementRandom(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 3)
	startCaddy(t, balance(listen, "placement random", targets...))

	names := make(map[string]bool)
	for range 60 {
		names[who(t, "127.0.0.2", listen)] = true
	}
	if len(names) != len(targets) {
		t.Errorf("60 connections of one client met only %v", names)
	}
}

// Legacy placement is the index that LoadBalancer.js 0.9.26 computed for the same client, as recorded
// from the program itself; it saw IPv4 clients as IPv4-mapped IPv6 ones.
func TestPlacementLegacy(t *testing.T) {
	t.Parallel()
	five, seven := freeAddr(t), freeAddr(t)
	targets := greeters(t, 7)
	startCaddy(t, caddyfile(
		server{five, sticky("pool five\nplacement legacy", targets[:5]...)},
		server{seven, sticky("pool seven\nplacement legacy", targets...)},
	))
	for _, vector := range []struct {
		ip      string
		ofFive  int
		ofSeven int
	}{
		{"127.0.0.1", 1, 6},
		{"127.0.0.2", 0, 5},
		{"127.0.0.9", 3, 5},
		{"127.0.0.254", 2, 2},
		{"127.0.1.1", 0, 4},
	} {
		if name := who(t, vector.ip, five); name != targets[vector.ofFive].name {
			t.Errorf("%s is at %s of five, want %s", vector.ip, name, targets[vector.ofFive].name)
		}
		if name := who(t, vector.ip, seven); name != targets[vector.ofSeven].name {
			t.Errorf("%s is at %s of seven, want %s", vector.ip, name, targets[vector.ofSeven].name)
		}
	}
}
