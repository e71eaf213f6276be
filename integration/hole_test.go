package integration

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hole is a target that swallows every SYN: it listens, but its accept queue is full and nobody
// accepts. That is what a target behind a dead link or a dropping firewall looks like.
type hole struct {
	*target
	socket  int
	fillers []net.Conn
}

// startHole opens a hole until the test ends. After unblock it serves in the given way.
func startHole(t testing.TB, name string, serve func(*net.TCPConn)) *hole {
	t.Helper()
	h := &hole{target: &target{name: name, addr: freeAddr(t), serve: serve, conns: make(map[*net.TCPConn]struct{})}, socket: -1}
	t.Cleanup(h.close)
	h.block(t)
	return h
}

// block makes a hole of the target, for the first time or again. Nobody may dial it meanwhile.
func (h *hole) block(t testing.TB) {
	t.Helper()
	h.stop()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	h.socket = socket
	// There may be connections of the time before.
	if err := unix.SetsockoptInt(socket, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: portOf(h.addr)}); err != nil {
		t.Fatal(err)
	}
	// A backlog of 0 leaves room for one connection.
	if err := unix.Listen(socket, 0); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		filler, err := net.DialTimeout("tcp", h.addr, 100*time.Millisecond)
		if err != nil {
			return
		}
		h.fillers = append(h.fillers, filler)
	}
	t.Fatal("the accept queue does not fill up")
}

// unblock makes the hole a healthy target.
func (h *hole) unblock(t testing.TB) {
	t.Helper()
	for _, filler := range h.fillers {
		filler.Close()
		accepted, _, err := unix.Accept4(h.socket, unix.SOCK_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(accepted)
	}
	h.fillers = nil
	if err := unix.Listen(h.socket, 128); err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(h.socket), "hole")
	h.socket = -1
	defer file.Close()
	listener, err := net.FileListener(file)
	if err != nil {
		t.Fatal(err)
	}
	h.accept(listener)
}

func (h *hole) close() {
	for _, filler := range h.fillers {
		filler.Close()
	}
	if h.socket >= 0 {
		unix.Close(h.socket)
	}
	h.kill()
}
