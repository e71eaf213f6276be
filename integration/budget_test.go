package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limitTo lets the process have so many descriptors in all.
func (p *balancerProcess) limitTo(t testing.TB, limit int) {
	t.Helper()
	rlimit := unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &rlimit, nil); err != nil {
		t.Fatal(err)
	}
}

// mustAnswer fails if the admin endpoint doesn't.
func (p *balancerProcess) mustAnswer(t testing.TB) {
	t.Helper()
	response, err := p.admin.Get("http://localhost/config/")
	if err != nil {
		t.Fatalf("the admin endpoint: %v", err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	if response.Body.Close(); response.StatusCode != http.StatusOK {
		t.Fatalf("the admin endpoint: %s", response.Status)
	}
}

// Near the limit of descriptors only those clients are accepted who can be served; the others wait, unharmed, and come in
// as those before them leave. The admin endpoint answers all the time, so that a reload can help.
func TestAcceptsWhomItCanServe(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		const limit, clients = 256, 600
		listen, target := freeAddr(t), startTarget(t, "a", greet("a"))
		config := caddyfile(server{"seamless/" + listen, front + sticky("", target)})
		caddy := startCaddy(t, config)
		caddy.limitTo(t, limit)
		ips := clientIPs(clients)
		var conns []*net.TCPConn
		for _, ip := range ips {
			conns = append(conns, dialFrom(t, ip, listen))
		}
		await(t, "the balancer to be full", func() bool { return len(caddy.complaints(t)) > 0 })
		caddy.mustAnswer(t)
		// Each has two descriptors, and there is a reserve.
		if n := target.open(); n < (limit-60)/2 {
			t.Errorf("only %d clients are served with %d descriptors", n, limit)
		}
		caddy.reload(t, caddyfile(server{"seamless/" + listen, front + sticky("dial_timeout 4s", target)}))
		for _, conn := range conns {
			if name := mustReadLine(t, conn); name != "a" {
				t.Fatalf("%q greeted", name)
			}
			conn.Close()
		}
		caddy.mustAnswer(t)
		whoEach(t, ips[:50], listen)
	})
}

// TestFillsLargeLimit does the same with as many descriptors as a service may have. The targets are in another process,
// which needs one for each connection, too.
func TestFillsLargeLimit(t *testing.T) {
	const limit, clients = 20_000, 10_100
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil || own.Cur < limit {
		t.Skipf("this process may not have %d descriptors itself: %v, %v", limit, own.Cur, err)
	}
	echo, listen := freeAddr(t), freeAddr(t)
	startCaddy(t, caddyfile(server{echo, "echo"}))
	caddy := startCaddy(t, caddyfile(server{"seamless/" + listen, "sticky_proxy " + echo}))
	caddy.limitTo(t, limit)
	var conns []*net.TCPConn
	for i := range clients {
		conn := dialFrom(t, fmt.Sprintf("127.0.%d.%d", 1+i/250, 1+i%250), listen)
		_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
		if _, err := io.WriteString(conn, "x\n"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	await(t, "the balancer to be full", func() bool { return len(caddy.complaints(t)) > 0 })
	caddy.mustAnswer(t)
	caddy.reload(t, caddyfile(server{"seamless/" + listen, "sticky_proxy " + echo + " {\ndial_timeout 4s\n}"}))
	for i, conn := range conns {
		if line := mustReadLine(t, conn); line != "x" {
			t.Fatalf("client %d of %d got %q", i, clients, line)
		}
		conn.Close()
	}
	caddy.mustAnswer(t)
}

// Clients that have ended their direction and wait for a target that never answers make room when descriptors are needed,
// the oldest ones first.
func TestHalfOpenMakesRoom(t *testing.T) {
	t.Parallel()
	const limit = 128
	listen, held := freeAddr(t), make(chan struct{})
	target := startTarget(t, "a", func(conn *net.TCPConn) {
		_, _ = io.WriteString(conn, "a\n")
		if _, err := io.Copy(io.Discard, conn); err == nil {
			<-held // it has heard the end, and does not answer
		}
	})
	t.Cleanup(func() { close(held) })
	caddy := startCaddy(t, balance("seamless/"+listen, "", target))
	open, _ := hold(t, "127.0.0.2", listen)
	caddy.limitTo(t, limit)
	for len(caddy.complaints(t)) == 0 {
		conn := dialFrom(t, "127.0.0.3", listen)
		_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // one that waits has no greeting
		_, _ = readLine(conn)
		_ = conn.CloseWrite()
	}
	for _, ip := range clientIPs(20) {
		who(t, ip, listen)
	}
	caddy.mustAnswer(t)
	if _, err := io.WriteString(open, "who is open in both directions stays\n"); err != nil {
		t.Error(err)
	}
	_ = open.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := open.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("a connection that is open in both directions ended with %v", err)
	}
}

func isTimeout(err error) bool {
	timeout, ok := err.(net.Error)
	return ok && timeout.Timeout()
}

// Pipes of bursts that are over are closed.
func TestPipesAreClosed(t *testing.T) {
	t.Parallel()
	listen, target := freeAddr(t), startTarget(t, "a", func(conn *net.TCPConn) { _, _ = io.CopyN(conn, noise(1, 8*miB), 8*miB) })
	caddy := startCaddy(t, balance("seamless/"+listen, "", target))
	before := caddy.descriptors(t)["pipe"]
	each(25, func(i int) {
		conn, err := tryDial(fmt.Sprintf("127.0.0.%d", 2+i), listen)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		if n, err := io.Copy(io.Discard, conn); n != 8*miB || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
	})
	if caddy.descriptors(t)["pipe"] == before {
		t.Error("no pipe was used")
	}
	await(t, "the pipes to be closed", func() bool { return caddy.descriptors(t)["pipe"] <= before })
}

// A target that leads back to the balancer through another program uses up the descriptors. When the first client
// leaves, all of that unwinds, and others are served.
func TestLoopThroughOthersUnwinds(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, other, target := freeAddr(t), freeAddr(t), startTarget(t, "a", greet("a"))
		inner := t.TempDir() + "/inner"
		startForwarder(t, inner, listen)
		caddy := startCaddy(t, caddyfile(
			server{"seamless/" + listen, front + "sticky_proxy unix/" + inner + " {\npool outer\n}"},
			server{"seamless/" + other, sticky("pool other", target)},
		))
		before := caddy.descriptors(t)["socket"]
		caddy.limitTo(t, 200)
		conn := dialFrom(t, "127.0.0.2", listen)
		_, _ = io.WriteString(conn, "anybody there?\n")
		await(t, "the balancer to be full", func() bool { return len(caddy.complaints(t)) > 0 })
		caddy.mustAnswer(t)
		conn.Close()
		await(t, "the connections to unwind", func() bool { return caddy.descriptors(t)["socket"] <= before+1 })
		mustEcho(t, first(hold(t, "127.0.0.2", other)))
	})
}

// startForwarder carries connections from a Unix socket to an address, as another program would.
func startForwarder(t testing.TB, socket, to string) net.Listener {
	t.Helper()
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			from, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer from.Close()
				conn, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer conn.Close()
				go func() {
					_, _ = io.Copy(from, conn)
					_ = from.(*net.UnixConn).CloseWrite()
				}()
				_, _ = io.Copy(conn, from)
				_ = conn.(*net.TCPConn).CloseWrite()
			}()
		}
	}()
	return ln
}

func first(conn *net.TCPConn, _ string) *net.TCPConn { return conn }
