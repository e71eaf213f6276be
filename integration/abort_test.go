package integration

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// misbehave serves by the client's first line: "reset" resets the connection, "413" answers without
// reading on and closes, "pour" sends for ever, anything else is echoed.
func misbehave(name string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, name+"\n")
		line, _ := readLine(conn)
		switch line {
		case "reset":
			reset(conn)
		case "413":
			// Unread bytes make the kernel send a RST after the answer.
			_, _ = io.WriteString(conn, "413\n")
		case "pour":
			_, _ = io.Copy(conn, noise(1, 1<<40))
		default:
			_, _ = io.Copy(conn, conn)
		}
	}
}

// misbehaving starts three targets behind a balancer and returns where they are reached, and a client
// with its target.
func misbehaving(t *testing.T) (caddy *balancerProcess, listen string, home *target, ip string) {
	t.Helper()
	var targets []*target
	for _, name := range []string{"a", "b", "c"} {
		targets = append(targets, startTarget(t, name, misbehave(name)))
	}
	listen, ip = freeAddr(t), "127.0.0.2"
	caddy = startCaddy(t, balance(listen, "", targets...))
	return caddy, listen, named(t, targets, who(t, ip, listen)), ip
}

// A reset by a healthy target closes that client, makes the balancer look at the target once, and
// changes nothing else.
func TestTargetResets(t *testing.T) {
	t.Parallel()
	_, listen, home, ip := misbehaving(t)
	bystander, _ := hold(t, ip, listen)
	conn, _ := hold(t, ip, listen)
	before := home.accepted.Load()
	_, _ = io.WriteString(conn, "reset\n")
	mustClose(t, conn)
	await(t, "a probe of the target that has reset a connection", func() bool { return home.accepted.Load() > before })

	for range 20 {
		if name := who(t, ip, listen); name != home.name {
			t.Fatalf("after a reset the client is at %s, want still %s", name, home.name)
		}
	}
	if probes := home.accepted.Load() - before - 20; probes != 1 {
		t.Errorf("the target was probed %d times after one reset, want once", probes)
	}
	mustEcho(t, bystander)
}

// mustEcho checks that a connection held to a target that echoes works.
func mustEcho(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	_ = conn.SetDeadline(time.Now().Add(patience))
	// The first line chooses what a misbehaving target does.
	for _, line := range []string{"echo", "hello"} {
		if _, err := io.WriteString(conn, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	for {
		if line := mustReadLine(t, conn); line == "hello" {
			return
		}
	}
}

// Many resets at a time don't take a healthy target out, and lead to no more than a probe each.
func TestManyResets(t *testing.T) {
	t.Parallel()
	_, listen, home, ip := misbehaving(t)
	var conns []*net.TCPConn
	for range 50 {
		conn, _ := hold(t, ip, listen)
		conns = append(conns, conn)
	}
	before := home.accepted.Load()
	for _, conn := range conns {
		_, _ = io.WriteString(conn, "reset\n")
	}
	for _, conn := range conns {
		mustClose(t, conn)
	}
	if name := who(t, ip, listen); name != home.name {
		t.Errorf("after resets the client is at %s, want still %s", name, home.name)
	}
	if probes := home.accepted.Load() - before - 1; probes > 50 {
		t.Errorf("50 resets led to %d probes", probes)
	}
}

// A target that is dead after a reset is found out by the probe: when it comes back, it is
// deactivated although no client has met it dead.
func TestResetOfDeadTarget(t *testing.T) {
	t.Parallel()
	caddy, listen, home, ip := misbehaving(t)
	conn, _ := hold(t, ip, listen)
	home.kill()
	mustClose(t, conn)
	await(t, "a log line that says that the target is deactivated", func() bool {
		return strings.Contains(caddy.Log(), "deactivated")
	})
	home.start(t)
	if name := who(t, ip, listen); name == home.name {
		t.Errorf("the client is at %s, which the probe should have found dead", name)
	}
	if home.accepted.Load() != 2 {
		t.Errorf("%d connections came to the target, want the 2 before it died", home.accepted.Load())
	}
}

// A server may answer early and close with unread bytes, as HTTP servers do with 413. The kernel makes
// that a reset; the target is healthy.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	_, listen, home, ip := misbehaving(t)
	for range 5 {
		conn, _ := hold(t, ip, listen)
		_, _ = io.WriteString(conn, "413\n"+strings.Repeat("x", 100*kiB))
		if answer := mustReadLine(t, conn); answer != "413" {
			t.Errorf("the answer was %q", answer)
		}
		mustClose(t, conn)
	}
	await(t, "the target to be rid of its connections", func() bool { return home.open() == 0 })
	for range 10 {
		if name := who(t, ip, listen); name != home.name {
			t.Fatalf("after an early answer the client is at %s, want still %s", name, home.name)
		}
	}
}

// A client that leaves in any way frees its target's connection at once and says nothing about the
// target's health.
func TestClientAborts(t *testing.T) {
	t.Parallel()
	_, listen, home, ip := misbehaving(t)
	for name, leave := range map[string]func(*net.TCPConn){
		"reset while idle":     reset,
		"close while idle":     func(conn *net.TCPConn) { conn.Close() },
		"reset while pouring":  func(conn *net.TCPConn) { drink(conn); reset(conn) },
		"close while pouring":  func(conn *net.TCPConn) { drink(conn); conn.Close() },
		"reset while stalling": func(conn *net.TCPConn) { drink(conn); time.Sleep(200 * time.Millisecond); reset(conn) },
	} {
		conn, _ := hold(t, ip, listen)
		leave(conn)
		await(t, name+": the target to be rid of the connection", func() bool { return home.open() == 0 })
		if at := who(t, ip, listen); at != home.name {
			t.Errorf("%s: the client came back to %s, want %s", name, at, home.name)
		}
	}
}

// drink asks a misbehaving target to pour and takes a first sip.
func drink(conn *net.TCPConn) {
	_, _ = io.WriteString(conn, "pour\n")
	_, _ = io.ReadFull(conn, make([]byte, 64*kiB))
}

// A client that leaves while its target is being dialled does not make the target a failed one, and
// leaves no connection behind.
func TestClientAbortsDuringDial(t *testing.T) {
	t.Parallel()
	listen, backup := freeAddr(t), greeters(t, 1)
	hole := startHole(t, "hole", greet("hole"))
	startCaddy(t, balance(listen, "dial_timeout 10s\n"+backups(backup...), hole.target))

	for i := range 20 {
		conn := dialFrom(t, fmt.Sprintf("127.0.0.%d", 2+i%4), listen)
		_, _ = io.WriteString(conn, "hello\n")
		time.Sleep(5 * time.Millisecond) // so that some of them are being dialled
		reset(conn)
	}
	hole.unblock(t)
	for range 10 {
		if name := who(t, "127.0.0.2", listen); name != hole.name {
			t.Errorf("a client is at %s, which is right only if %s has failed", name, hole.name)
		}
	}
	// SYNs that were swallowed are sent once more after a second.
	await(t, "the end of all dials", func() bool { return dialling(t, hole.addr) == 0 })
	await(t, "the target to be rid of those who left", func() bool { return hole.open() == 0 })
}
