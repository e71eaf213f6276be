package integration

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// tryDial connects from a source IP. The deadline only keeps a failing test from hanging.
func tryDial(ip, addr string) (*net.TCPConn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: patience}
	conn, err := dialer.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn), nil
}

// dialFrom connects from a source IP until the test ends.
func dialFrom(t testing.TB, ip, addr string) *net.TCPConn {
	t.Helper()
	conn, err := tryDial(ip, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// readLine reads up to a newline and not a byte further, so that the rest stays for others.
func readLine(conn io.Reader) (string, error) {
	var line []byte
	for char := make([]byte, 1); ; {
		if _, err := io.ReadFull(conn, char); err != nil {
			return string(line), err
		}
		if char[0] == '\n' {
			return string(line), nil
		}
		line = append(line, char[0])
	}
}

// mustReadLine is readLine for an answer that must come.
func mustReadLine(t testing.TB, conn io.Reader) string {
	t.Helper()
	line, err := readLine(conn)
	if err != nil {
		t.Fatalf("reading a line: %v after %q", err, line)
	}
	return line
}

// hold connects, reads the greeting and keeps the connection open.
func hold(t testing.TB, ip, addr string) (*net.TCPConn, string) {
	t.Helper()
	conn := dialFrom(t, ip, addr)
	return conn, mustReadLine(t, conn)
}

// tryWho tells which target greets a client.
func tryWho(ip, addr string) (string, error) {
	conn, err := tryDial(ip, addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	name, err := readLine(conn)
	if err != nil {
		return "", fmt.Errorf("the greeting for %s: %w after %q", ip, err, name)
	}
	return name, nil
}

// who is tryWho for a client that must be served.
func who(t testing.TB, ip, addr string) string {
	t.Helper()
	name, err := tryWho(ip, addr)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// whoEach tells which target greets each of the clients, who come concurrently.
func whoEach(t testing.TB, ips []string, addr string) map[string]string {
	t.Helper()
	names := make(map[string]string)
	var mu sync.Mutex
	each(len(ips), func(i int) {
		name, err := tryWho(ips[i], addr)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		names[ips[i]] = name
	})
	if t.Failed() {
		t.FailNow()
	}
	return names
}

// each calls do for 0 … n-1 from several goroutines.
func each(n int, do func(i int)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, 25)
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
}

// mustAgree fails with the clients who are not where they should be.
func mustAgree(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for ip, name := range want {
		if got[ip] != name {
			t.Errorf("%s: %s is at %q, want %q", what, ip, got[ip], name)
		}
	}
	t.FailNow()
}

// homedAt returns those of the clients who are at the target.
func homedAt(homes map[string]string, name string) []string {
	var ips []string
	for ip, home := range homes {
		if home == name {
			ips = append(ips, ip)
		}
	}
	return ips
}

// mustClose fails unless the other side closes the connection soon and without another byte.
func mustClose(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	left, err := io.ReadAll(conn)
	if len(left) > 0 {
		t.Fatalf("%q came instead of the end", left)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection was not closed")
	}
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
}
