package integration

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Sessions and the health of targets survive reloads that add and reweight targets, and open
// connections don't notice them.
func TestReloadKeepsState(t *testing.T) {
	t.Parallel()
	const options = "deactivation_duration 10m\nsession_expiry 10m\n"
	listen, targets, ips := freeAddr(t), greeters(t, 4), clientIPs(100)
	caddy := startCaddy(t, balance(listen, options, targets[:3]...))

	whoEach(t, ips, listen)
	targets[0].kill()
	moved := whoEach(t, ips, listen)
	targets[0].start(t)
	conn, _ := hold(t, ips[0], listen)

	caddy.reload(t, balance(listen, options, targets...))
	mustAgree(t, "after adding a target", whoEach(t, ips, listen), moved)
	caddy.reload(t, balance(listen, options+upstream(targets[1].addr, "weight 50"), targets[0], targets[2], targets[3]))
	mustAgree(t, "after reweighting a target", whoEach(t, ips, listen), moved)
	mustEcho(t, conn)

	// New clients show that the first target is still deactivated and the new one takes part.
	caddy.reload(t, balance(listen, options, targets...))
	newcomers := whoEach(t, clientIPs(200)[100:], listen)
	if len(homedAt(newcomers, "a")) > 0 || len(homedAt(newcomers, "d")) == 0 {
		t.Errorf("%d new clients are at the deactivated target, %d at the added one",
			len(homedAt(newcomers, "a")), len(homedAt(newcomers, "d")))
	}
}

// A removed target keeps its open connections; its clients move with their next one and nobody else
// does.
func TestReloadRemovesTarget(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(60)
	caddy := startCaddy(t, balance(listen, "", targets...))
	homes := whoEach(t, ips, listen)
	removed := targets[1]
	clients := homedAt(homes, removed.name)
	conn, _ := hold(t, clients[0], listen)

	caddy.reload(t, balance(listen, "", targets[0], targets[2]))
	moved := whoEach(t, ips, listen)
	for ip, name := range moved {
		if name == removed.name || homes[ip] != removed.name && name != homes[ip] {
			t.Errorf("%s went from %s to %s when %s was removed", ip, homes[ip], name, removed.name)
		}
	}
	mustAgree(t, "once more", whoEach(t, ips, listen), moved)
	mustEcho(t, conn)

	caddy.reload(t, balance(listen, "", targets...))
	mustAgree(t, "with the target back in the config", whoEach(t, ips, listen), moved)
	mustEcho(t, conn)
}

// A new session_expiry holds for sessions that exist.
func TestReloadChangesExpiry(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(60)
	config := func(expiry string) string {
		return balance(listen, "deactivation_duration 10ms\nsession_expiry "+expiry, targets...)
	}
	caddy := startCaddy(t, config("10m"))
	homes := whoEach(t, ips, listen)
	targets[0].kill()
	moved := whoEach(t, ips, listen)
	targets[0].start(t)
	mustAgree(t, "before the reload", whoEach(t, ips, listen), moved)

	caddy.reload(t, config("300ms"))
	time.Sleep(600 * time.Millisecond)
	mustAgree(t, "after the new expiry", whoEach(t, ips, listen), homes)
}

// A config that is refused changes nothing, be it refused by this module or by another after it.
func TestBadReload(t *testing.T) {
	t.Parallel()
	listen, other, targets, ips := freeAddr(t), freeAddr(t), greeters(t, 3), clientIPs(60)
	caddy := startCaddy(t, balance(listen, "pool web", targets...))
	whoEach(t, ips, listen)
	targets[0].kill()
	moved := whoEach(t, ips, listen)
	targets[0].start(t)
	conn, _ := hold(t, ips[0], listen)

	taken, err := net.Listen("tcp", other)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for what, bad := range map[string]struct{ config, message string }{
		"one pool with different upstreams": {caddyfile(
			server{listen, sticky("pool web", targets[:2]...)},
			server{freeAddr(t), sticky("pool web", targets[1:]...)},
		), "web"},
		"a handler after ours fails": {caddyfile(
			server{listen, sticky("pool web\nsession_expiry 1ms", targets[1:]...)},
			server{freeAddr(t), "proxy_protocol {\nallow nonsense\n}"},
		), "nonsense"},
		"an address is taken": {caddyfile(
			server{listen, sticky("pool web\nsession_expiry 1ms", targets[1:]...)},
			server{other, "echo"},
		), "in use"},
	} {
		switch err := caddy.load(bad.config); {
		case err == nil:
			t.Errorf("%s: the config was accepted", what)
		case !strings.Contains(err.Error(), bad.message):
			t.Errorf("%s: the message does not say %q: %v", what, bad.message, err)
		}
		mustAgree(t, what, whoEach(t, ips, listen), moved)
	}
	mustEcho(t, conn)
}

// A config without the balancer takes its sessions away only when nobody is connected any more.
func TestReloadWithoutBalancer(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(60)
	config := balance(listen, "deactivation_duration 10ms", targets...)
	caddy := startCaddy(t, config)
	clients := homedAt(whoEach(t, ips, listen), "a")
	targets[0].kill()
	conn, moved := hold(t, clients[0], listen)
	targets[0].start(t)

	caddy.reload(t, caddyfile(server{freeAddr(t), "echo"}))
	mustEcho(t, conn)
	caddy.reload(t, config)
	mustEcho(t, conn)
	if name := who(t, clients[0], listen); name != moved {
		t.Errorf("a connected client's session was at %s and is at %s", moved, name)
	}
}

// A target that is full stays full over a reload.
func TestReloadKeepsCounts(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	config := func(limit string) string {
		return balance(listen, upstream(targets[0].addr, "max_connections "+limit)+backups(targets[1]))
	}
	caddy := startCaddy(t, config("1"))
	_, _ = hold(t, "127.0.0.2", listen)
	for _, step := range []struct{ limit, ip, want string }{
		{"1", "127.0.0.3", "b"},
		{"2", "127.0.0.4", "a"},
		{"2", "127.0.0.5", "b"},
	} {
		caddy.reload(t, config(step.limit))
		if _, at := hold(t, step.ip, listen); at != step.want {
			t.Errorf("with a limit of %s for a, %s is at %s, want %s", step.limit, step.ip, at, step.want)
		}
	}
}

// Configs that come and go under connections that end in every way leave nothing behind. Not parallel,
// so that nothing else slows it beyond the deadline.
func TestReloadsLeakNothing(t *testing.T) {
	listen := freeAddr(t)
	var targets []*target
	for i := range 3 {
		targets = append(targets, startTarget(t, fmt.Sprint(i), moody))
	}
	config := func(i int) string {
		return balance(listen, fmt.Sprintf("session_expiry 100ms\npool p%d", i%4), targets[i%3:]...)
	}
	caddy := startCaddy(t, config(0))
	reloads := func(n int) {
		done := make(chan struct{})
		go func() {
			churn(listen, 40*n)
			close(done)
		}()
		for i := range n {
			caddy.reload(t, config(i))
		}
		<-done
		caddy.reload(t, config(0))
		settle(t, targets)
	}
	reloads(5)
	before := inventory(t, caddy)
	reloads(30)
	awaitInventory(t, caddy, before)
}

// After SIGTERM nobody listens, and the process ends.
func TestStop(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 1)
	caddy := startCaddy(t, balance(listen, "", targets...))
	conn, _ := hold(t, "127.0.0.2", listen)
	if err := caddy.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	mustClose(t, conn)
	<-caddy.exited
	if _, err := tryDial("127.0.0.2", listen); err == nil {
		t.Error("somebody listens still")
	}
}

// With a grace period open connections go on after SIGTERM, those of a config before as well, while new ones are
// refused; the process ends with the last of them.
func TestStopWithGrace(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 1)
	caddy := startCaddy(t, balance(listen, "grace_period 1h", targets...))
	old, _ := hold(t, "127.0.0.2", listen)
	caddy.reload(t, balance(listen, "grace_period 1h\ndial_timeout 5s", targets...))
	conn, _ := hold(t, "127.0.0.2", listen)
	if err := caddy.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "new connections to be refused", func() bool { return !listens(listen) })
	for _, conn := range []*net.TCPConn{old, conn} {
		if _, err := io.WriteString(conn, "still there\n"); err != nil {
			t.Fatal(err)
		}
		if line := mustReadLine(t, conn); line != "still there" {
			t.Errorf("%q came back", line)
		}
	}
	old.Close()
	if _, err := io.WriteString(conn, "one is left\n"); err != nil {
		t.Fatal(err)
	}
	mustReadLine(t, conn)
	conn.Close()
	<-caddy.exited
}

// A grace period ends.
func TestGraceIsLimited(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 1)
	caddy := startCaddy(t, balance(listen, "grace_period 500ms", targets...))
	conn, _ := hold(t, "127.0.0.2", listen)
	if err := caddy.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	mustClose(t, conn)
	<-caddy.exited
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("the connection was cut after %v", took)
	}
}
