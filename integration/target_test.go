package integration

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// target is a TCP server behind the balancer. It can go down and come back at the same address.
type target struct {
	name, addr string
	// Serves one connection, which is closed when it returns.
	serve func(*net.TCPConn)
	// Counts the connections accepted, the balancer's probes included.
	accepted atomic.Int64

	mu       sync.Mutex
	listener net.Listener
	conns    map[*net.TCPConn]struct{}
}

// greet serves like a protocol in which the server speaks first: it says its name and echoes the rest.
func greet(name string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		if _, err := io.WriteString(conn, name+"\n"); err == nil {
			_, _ = io.Copy(conn, conn)
		}
	}
}

// answer serves like a protocol in which the client speaks first: each line is answered by the name.
func answer(name string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			if _, err := io.WriteString(conn, name+"\n"); err != nil {
				return
			}
		}
	}
}

// startTarget runs a target until the test ends.
func startTarget(t testing.TB, name string, serve func(*net.TCPConn)) *target {
	t.Helper()
	target := &target{name: name, addr: freeAddr(t), serve: serve, conns: make(map[*net.TCPConn]struct{})}
	target.start(t)
	t.Cleanup(target.kill)
	return target
}

// greeters starts n targets called a, b, c, … that greet.
func greeters(t testing.TB, n int) []*target {
	t.Helper()
	var targets []*target
	for i := range n {
		name := string(rune('a' + i))
		targets = append(targets, startTarget(t, name, greet(name)))
	}
	return targets
}

// start listens, for the first time or again.
func (s *target) start(t testing.TB) {
	t.Helper()
	listener, err := listenTCP(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.accept(listener)
}

// listenTCP listens on a socket that has all options of TCP, which that of Multipath TCP, Go's default, has not. A process
// that is being started has a copy of each descriptor for a moment, so a socket that was just closed may still listen.
func listenTCP(addr string) (listener net.Listener, err error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(time.Millisecond) {
		listener, err = config.Listen(context.Background(), "tcp", addr)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Now().After(deadline) {
			return listener, err
		}
	}
}

func (s *target) accept(listener net.Listener) {
	s.mu.Lock()
	s.listener = listener
	s.mu.Unlock()
	go s.acceptLoop(listener)
}

// stop refuses new connections and keeps the open ones.
func (s *target) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		stopListening(s.listener)
	}
}

// stopListening closes a listener, for good: a process that is just being started has a copy of each descriptor for a
// moment, through which a socket that is merely closed would accept connections, and reset them when the copy is closed.
func stopListening(listener net.Listener) {
	if conn, err := listener.(*net.TCPListener).SyscallConn(); err == nil {
		_ = conn.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
	}
	listener.Close()
}

// kill stops the target and resets its connections, as when its process dies.
func (s *target) kill() {
	s.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		reset(conn)
	}
}

// open returns the number of connections that the target holds.
func (s *target) open() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *target) acceptLoop(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.accepted.Add(1)
		go s.handle(conn.(*net.TCPConn))
	}
}

func (s *target) handle(conn *net.TCPConn) {
	s.mu.Lock()
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	s.serve(conn)
	conn.Close()
	s.mu.Lock()
	delete(s.conns, conn)
	s.mu.Unlock()
}

// named returns the target of this name.
func named(t testing.TB, targets []*target, name string) *target {
	t.Helper()
	for _, target := range targets {
		if target.name == name {
			return target
		}
	}
	t.Fatalf("no target is called %q", name)
	return nil
}

// reset closes a connection with a RST instead of a FIN.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	conn.Close()
}

func portOf(addr string) int {
	_, port, _ := net.SplitHostPort(addr)
	number, _ := strconv.Atoi(port)
	return number
}
