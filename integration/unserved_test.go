package integration

import (
	"io"
	"net"
	"strings"
	"testing"
)

// A target that accepts and ends connections without a byte, by an end or a reset, gets no more clients after three.
func TestUnservedClients(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(*net.TCPConn){
		"end":              func(*net.TCPConn) {},
		"reset":            func(conn *net.TCPConn) { reset(conn) },
		"end after a word": func(conn *net.TCPConn) { _, _ = conn.Read(make([]byte, 1)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dead, good := startTarget(t, "dead", serve), startTarget(t, "good", answer("good"))
			listen := freeAddr(t)
			p := startCaddy(t, balance(listen, backups(good), dead))
			ips := clientIPs(20)
			for _, ip := range ips[:3] {
				// An end that comes before the client's word was taken from it has another target answer.
				if got := say(t, ip, listen); got != "" && (got != "good" || name == "end after a word") {
					t.Errorf("a client of a target that serves nobody was told %q", got)
				}
			}
			// The end of a connection is known a moment after its client knows it.
			await(t, "the target is deactivated", func() bool { return strings.Contains(p.Log(), "upstream deactivated") })
			for _, ip := range ips {
				if got := say(t, ip, listen); got != "good" {
					t.Errorf("a client was told %q", got)
				}
			}
			p.mustCount(t, 1, `deactivations_total{pool="default",reason="unserved",upstream=%q}`, dead.addr)
			if log := p.Log(); !strings.Contains(log, "without having sent a byte") {
				t.Errorf("the log does not tell why:\n%s", log)
			}
		})
	}
}

// say has a client say a line, and returns what comes back.
func say(t *testing.T, ip, listen string) string {
	t.Helper()
	conn, err := tryDial(ip, listen)
	if err != nil {
		return "" // reset before it has begun
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "hello\n")
	line, _ := readLine(conn)
	return line
}

// One client, scanners that say nothing and go, and clients that are served in between take no target away.
func TestServedClients(t *testing.T) {
	t.Parallel()
	picky := startTarget(t, "picky", func(conn *net.TCPConn) {
		line, err := readLine(conn)
		if err == nil && line == "hello" {
			_, _ = io.WriteString(conn, "picky\n")
			_, _ = io.Copy(io.Discard, conn)
		}
	})
	listen, ips := freeAddr(t), clientIPs(40)
	p := startCaddy(t, balance(listen, "", picky))
	odd := func(ip string) {
		conn := dialFrom(t, ip, listen)
		defer conn.Close()
		_, _ = io.WriteString(conn, "what?\n")
		mustEnd(t, conn)
	}
	for range 5 {
		odd(ips[0])
	}
	for i, ip := range ips[1:] {
		switch i % 3 {
		case 0:
			odd(ip)
		case 1:
			dialFrom(t, ip, listen).Close() // a scanner
		default:
			if got := say(t, ip, listen); got != "picky" {
				t.Fatalf("got %q", got)
			}
		}
	}
	// A connection that is open counts, too, while it is served.
	talk := dialFrom(t, ips[0], listen)
	defer talk.Close()
	if strings.Contains(p.Log(), "upstream deactivated") {
		t.Errorf("the target was taken away:\n%s", p.Log())
	}
}

// With unserved_limit off, a target may be silent.
func TestUnservedOff(t *testing.T) {
	t.Parallel()
	silent, listen := startTarget(t, "silent", func(*net.TCPConn) {}), freeAddr(t)
	p := startCaddy(t, balance(listen, "unserved_limit off", silent))
	for _, ip := range clientIPs(10) {
		_ = say(t, ip, listen)
	}
	if strings.Contains(p.Log(), "upstream deactivated") {
		t.Errorf("the target was taken away:\n%s", p.Log())
	}
}
