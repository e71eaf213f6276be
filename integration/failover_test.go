package integration

import (
	"testing"
	"time"
)

// A target that refuses connections costs its clients nothing: they are served by others and stay
// there. The other targets' clients don't move.
func TestRefusingTarget(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 4), clientIPs(100)
	startCaddy(t, balance(listen, "", targets...))

	homes := whoEach(t, ips, listen)
	dead := targets[1]
	dead.kill()
	moved := whoEach(t, ips, listen)
	for ip, name := range moved {
		if name == dead.name || homes[ip] != dead.name && name != homes[ip] {
			t.Errorf("%s went from %s to %s while %s is dead", ip, homes[ip], name, dead.name)
		}
	}
	mustAgree(t, "once more", whoEach(t, ips, listen), moved)
	dead.start(t)
	mustAgree(t, "with the dead target back", whoEach(t, ips, listen), moved)
}

// All connections of a client that find its target dead settle on one other target.
func TestConcurrentConnectionsSettle(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 5), clientIPs(200)
	// With so short a deactivation each client meets the dead target itself.
	startCaddy(t, balance(listen, "deactivation_duration 10ms", targets...))

	homes := whoEach(t, ips, listen)
	targets[0].kill()
	for _, ip := range homedAt(homes, targets[0].name)[:8] {
		names := whoTogether(t, 50, ip, listen)
		if len(names) != 1 || names[targets[0].name] > 0 {
			t.Errorf("50 connections of %s are at %v, want them at one target that lives", ip, names)
		}
	}
}

// whoTogether opens n connections of one client at the same time, keeps them until all are answered,
// and counts the targets that answered.
func whoTogether(t testing.TB, n int, ip, addr string) map[string]int {
	t.Helper()
	answers, done := make(chan string, n), make(chan struct{})
	defer close(done)
	for range n {
		go func() {
			conn, err := tryDial(ip, addr)
			if err != nil {
				answers <- err.Error()
				return
			}
			defer conn.Close()
			name, err := readLine(conn)
			if err != nil {
				name = err.Error()
			}
			answers <- name
			<-done
		}()
	}
	names := make(map[string]int)
	for range n {
		names[<-answers]++
	}
	return names
}

// When no target accepts, clients are closed at once, also many of one client together, and the
// service goes on: a target that comes back serves at once although it is deactivated.
func TestLastResort(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(20)
	startCaddy(t, balance(listen, "deactivation_duration 10m", targets...))
	for _, target := range targets {
		target.kill()
	}

	asked := time.Now()
	each(50, func(i int) {
		conn, err := tryDial(ips[i%5], listen)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if line, err := readLine(conn); err == nil {
			t.Errorf("a dead target answered %q", line)
		}
	})
	if took := time.Since(asked); took > 3*time.Second {
		t.Errorf("closing 50 clients that nobody can serve took %v", took)
	}

	targets[2].start(t)
	for ip, name := range whoEach(t, ips, listen) {
		if name != targets[2].name {
			t.Errorf("%s is at %s, which is dead", ip, name)
		}
	}
	// It accepted, so it is active again and clients need no last resort.
	targets[0].start(t)
	for ip, name := range whoEach(t, ips, listen) {
		if name != targets[2].name {
			t.Errorf("%s moved to %s, which is deactivated", ip, name)
		}
	}
}

// The connections of one client settle on one target also when they find all deactivated and several
// back.
func TestLastResortSettles(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 4), clientIPs(8)
	startCaddy(t, balance(listen, "deactivation_duration 10m", targets...))
	for _, ip := range ips {
		for _, target := range targets {
			target.kill()
		}
		mustClose(t, dialFrom(t, ip, listen))
		for _, target := range targets[1:] {
			target.start(t)
		}
		if names := whoTogether(t, 50, ip, listen); len(names) != 1 || names["b"]+names["c"]+names["d"] != 50 {
			t.Errorf("50 connections of %s are at %v, want them at one target that lives", ip, names)
		}
	}
}

// When all targets swallow SYNs, clients are closed after the dial timeouts, and waiting for one
// another does not add up.
func TestAllBlackHoles(t *testing.T) {
	t.Parallel()
	listen := freeAddr(t)
	first, second := startHole(t, "first", nil), startHole(t, "second", nil)
	startCaddy(t, balance(listen, "dial_timeout 300ms", first.target, second.target))
	for range 2 { // the second time both are deactivated
		asked := time.Now()
		each(20, func(i int) {
			if name, err := tryWho(clientIPs(20)[i], listen); err == nil {
				t.Errorf("%q answered", name)
			}
		})
		if took := time.Since(asked); took > 3*time.Second {
			t.Errorf("closing 20 clients took %v with two targets and a timeout of 300ms", took)
		}
	}
}

// A target that swallows SYNs costs its clients the dial timeout once.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	listen, good := freeAddr(t), greeters(t, 2)
	hole := startHole(t, "hole", greet("hole"))
	startCaddy(t, balance(listen, "dial_timeout 500ms\n"+backups(good...), hole.target))

	asked := time.Now()
	names := whoTogether(t, 50, "127.0.0.2", listen)
	if took := time.Since(asked); took > 3*time.Second {
		t.Errorf("50 connections took %v", took)
	}
	if len(names) != 1 || names["a"]+names["b"] != 50 {
		t.Fatalf("50 connections are at %v, want them at one target that answers", names)
	}
	for range 10 {
		asked = time.Now()
		if name := who(t, "127.0.0.2", listen); names[name] == 0 {
			t.Errorf("the client moved on to %s", name)
		}
		if took := time.Since(asked); took > 450*time.Millisecond {
			t.Errorf("a client whose session has moved had to wait %v", took)
		}
	}
	asked = time.Now()
	whoEach(t, clientIPs(20), listen)
	if took := time.Since(asked); took > 2*time.Second {
		t.Errorf("20 new clients took %v though the hole is known", took)
	}
}

// Whatever goes wrong in a dial, the next target is tried.
func TestEveryDialFailureMovesOn(t *testing.T) {
	t.Parallel()
	good := greeters(t, 1)
	for name, bad := range map[string]string{
		"unknown name":       "sticky.invalid:9000",
		"unreachable":        "255.255.255.255:9000",
		"missing socket":     "unix/" + t.TempDir() + "/missing.sock",
		"two that both fail": "sticky.invalid:9000 255.255.255.255:9000",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen := freeAddr(t)
			handler := "sticky_proxy " + bad + " {\ndial_timeout 2s\n" + backups(good...) + "}"
			startCaddy(t, caddyfile(server{listen, handler}))
			if name := who(t, "127.0.0.2", listen); name != good[0].name {
				t.Errorf("the client is at %q", name)
			}
		})
	}
}

// Backup targets serve while no other can.
func TestBackup(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(60)
	options := "session_expiry 100ms\ndeactivation_duration 100ms\n" + backups(targets[2])
	startCaddy(t, balance(listen, options, targets[:2]...))

	homes := whoEach(t, ips, listen)
	if len(homedAt(homes, "c")) > 0 {
		t.Errorf("%v are at the backup", homedAt(homes, "c"))
	}
	targets[0].kill()
	if atBackup := homedAt(whoEach(t, ips, listen), "c"); len(atBackup) > 0 {
		t.Errorf("%v are at the backup though b lives", atBackup)
	}
	targets[1].kill()
	if atBackup := homedAt(whoEach(t, ips, listen), "c"); len(atBackup) != len(ips) {
		t.Errorf("%d of %d are at the backup, which alone lives", len(atBackup), len(ips))
	}
	targets[0].start(t)
	targets[1].start(t)
	time.Sleep(500 * time.Millisecond) // deactivations and sessions are over then
	mustAgree(t, "with all targets back", whoEach(t, ips, listen), homes)
}
