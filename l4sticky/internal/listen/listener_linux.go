package listen

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

const (
	// maxQueue is how many accepted connections may wait for an Accept; more wait in the kernel.
	maxQueue = 1024
	// drainTimeout is how long they may wait when the listener is closed.
	drainTimeout = time.Second
)

// A Listener is a config's use of a listening socket.
type Listener struct {
	socket   *listenSocket
	follower *eventloop.Follower
	empty    chan struct{} // gets a value when nothing waits for Accept any more, after the end
	unbind   func() bool   // makes the end of the context not close the listener any more

	start
	queue []*Conn // guarded by the socket's lock
}

// Listen returns a listener for a TCP address. The listeners for one address share one socket, which is open as long
// as any of them is. How to open it is the caller's; it must use the config that it is given.
//
// A listener gets connections once serving has said that its config does, which it is asked now and then; nil means from
// the start. It is closed when the context ends, so that a config that is refused half-way leaves nothing open.
func Listen(ctx context.Context, address string, config net.ListenConfig, open Open, serving func() bool) (net.Listener, error) {
	sockets.Lock()
	defer sockets.Unlock()
	s := sockets.open[address]
	if s == nil {
		var err error
		if s, err = openSocket(ctx, config, open); err != nil {
			return nil, err
		}
		s.key = address
		sockets.open[address] = s
	}
	ln := &Listener{socket: s, follower: eventloop.NewFollower(), empty: make(chan struct{}, 1), start: start{serving}}
	ln.unbind = context.AfterFunc(ctx, safely.Func("end of a listener", func() { _ = ln.Close() }))
	s.mu.Lock()
	first := len(s.listeners) == 0
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	if first {
		s.loop.Post(s.watch)
	}
	return ln, nil
}

// duplicateRaw returns a descriptor of its own for a socket, which Go's poller does not know.
func duplicateRaw(raw syscall.RawConn) (int32, error) {
	fd, err := -1, error(nil)
	if controlErr := raw.Control(func(original uintptr) {
		fd, err = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 3)
	}); controlErr != nil {
		return -1, controlErr
	}
	return int32(fd), os.NewSyscallError("fcntl", err)
}

// Accept returns the next connection. Running out of descriptors is no error: it waits until there are some.
func (ln *Listener) Accept() (conn net.Conn, err error) {
	for conn == nil && err == nil {
		safely.Do("listener", func() { conn, err = ln.accept() }) // what fails once is tried again
	}
	return conn, err
}

func (ln *Listener) accept() (net.Conn, error) {
	for {
		safely.Reach("listener")
		closed := ln.follower.Closed() // looked at first, since nothing is accepted any more after it
		if conn := ln.next(); conn != nil {
			return conn, nil
		}
		if closed {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: ln.socket.addr, Err: net.ErrClosed}
		}
		ln.socket.loop.Follow(ln.follower)
	}
}

func (ln *Listener) next() *Conn {
	if ln.follower.Queued() == 0 {
		return nil
	}
	ln.socket.mu.Lock()
	defer ln.socket.mu.Unlock()
	if len(ln.queue) == 0 {
		return nil
	}
	conn := ln.queue[0]
	ln.queue[0] = nil
	if ln.queue = ln.queue[1:]; len(ln.queue) == 0 {
		ln.queue = nil
		ln.unsyncedEmptied()
	}
	ln.follower.SetQueued(len(ln.queue))
	return conn
}

// unsyncedEmptied tells Close that nothing waits any more. The socket's lock must be held.
func (ln *Listener) unsyncedEmptied() {
	if ln.follower.Closed() {
		select {
		case ln.empty <- struct{}{}:
		default:
		}
	}
}

// Close ends the listener. The socket is closed with the last one; until then the others get what comes, including
// what this one had accepted and not returned. What the last one had, Accept goes on returning before it fails: Close
// returns when that is done, or after a second for who does not call Accept any more.
func (ln *Listener) Close() error {
	left, waits := ln.leave()
	if !left {
		return &net.OpError{Op: "close", Net: "tcp", Addr: ln.socket.addr, Err: net.ErrClosed}
	}
	ln.follower.Signal()
	ln.socket.loop.Nudge()
	if waits {
		select {
		case <-ln.empty:
		case <-time.After(drainTimeout):
		}
	}
	ln.discard()
	return nil
}

// leave takes the listener from its socket, unless that has been done. It waits if it keeps connections for Accept.
func (ln *Listener) leave() (left, waits bool) {
	s := ln.socket
	sockets.Lock()
	defer sockets.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ln.follower.Close() {
		return false, false
	}
	ln.unbind()
	s.listeners = slices.DeleteFunc(s.listeners, func(other *Listener) bool { return other == ln })
	if n := len(s.listeners); n > 0 {
		heir := newestServing(s.listeners)
		if heir == nil {
			heir = s.listeners[n-1]
		}
		heir.queue = append(heir.queue, ln.queue...)
		heir.follower.SetQueued(len(heir.queue))
		heir.follower.Signal()
		ln.queue = nil
		ln.follower.SetQueued(0)
		return true, false
	}
	delete(sockets.open, s.key)
	eventloop.Close(s.fd)
	s.loop.Post(s.remove)
	return true, ln.serving == nil && len(ln.queue) > 0
}

// discard closes what was not taken from a listener that is closed.
func (ln *Listener) discard() {
	ln.socket.mu.Lock()
	left := ln.queue
	ln.queue = nil
	ln.follower.SetQueued(0)
	ln.socket.mu.Unlock()
	for _, conn := range left {
		_ = conn.Close()
	}
}

// Addr returns the address that the listener listens on.
func (ln *Listener) Addr() net.Addr { return ln.socket.addr }

var errTaken = errors.New("the connection was handed over")

// unsettled counts the connections that listeners have accepted, and that are neither taken over nor closed.
var unsettled atomic.Int64

// Unsettled returns how many connections the listeners of this process have accepted that are neither taken over by a loop
// nor closed: they may still get to a handler.
func Unsettled() int { return int(unsettled.Load()) }

// newConn returns a connection that was just accepted.
func newConn(s *listenSocket, fd int32, remote netip.AddrPort) *Conn {
	unsettled.Add(1)
	c := &Conn{socket: s, fd: fd, promised: eventloop.Promised | eventloop.Pending}
	addr := remote.Addr()
	c.remote.Port, c.remote.Zone = int(remote.Port()), addr.Zone()
	if addr.Is4() {
		ip := addr.As4()
		c.remote.IP = append(c.ip[:0], ip[:]...)
	} else {
		c.ip = addr.As16()
		c.remote.IP = c.ip[:]
	}
	return c
}
