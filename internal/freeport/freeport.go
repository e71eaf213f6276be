package freeport

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

const (
	first = 10000
	count = 22000
)

// next is the number of the port to be tried next. Where a process begins is random.
var next atomic.Uint32

func init() { next.Store(rand.Uint32N(count)) }

// Get returns a port on which nothing listens. It is the test's own until the test ends.
//
// That a socket can be bound does not say that nothing listens: Caddy sets SO_REUSEPORT and would share a port with a
// stranger. Neither does it say that the port is of no other test, whose server may be down just now.
func Get(t testing.TB) int {
	t.Helper()
	for range count {
		port := first + int(next.Add(1)%count)
		reservation, err := reserve(port)
		if err != nil {
			continue // it is another test's
		}
		if isFree(port) {
			t.Cleanup(func() { _ = reservation.Close() })
			return port
		}
		_ = reservation.Close()
	}
	t.Fatal("no port is free")
	return 0
}

// isFree reports whether nothing listens on a port. A socket of Multipath TCP, Go's default, would hold the port for a while
// after it is closed.
func isFree(port int) bool {
	defer noForks()()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	listener, err := config.Listen(context.Background(), "tcp", ":"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	_ = listener.Close()
	return true
}

// Addr returns an address of this machine with such a port.
func Addr(t testing.TB) string {
	t.Helper()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(Get(t)))
}
