package listen

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

// A Conn is an accepted connection that costs next to nothing until it is used: Go's poller does not know its
// descriptor. A read that must wait, or a write, turns it into a *net.TCPConn, which its user does not notice; the relay
// takes the descriptor as it is.
type Conn struct {
	socket *listenSocket
	remote net.TCPAddr
	ip     [16]byte // the memory of remote's

	mu            sync.Mutex // guards what follows
	fd            int32      // -1 when the connection is closed, taken, or real
	real          *net.TCPConn
	local         *net.TCPAddr
	readDeadline  time.Time
	writeDeadline time.Time
	taken         bool
	settled       bool // it is not counted any more
	promised      eventloop.Promise
}

// RemoteAddr returns the client's address.
func (c *Conn) RemoteAddr() net.Addr { return &c.remote }

// LocalAddr returns the address that the client connected to.
func (c *Conn) LocalAddr() net.Addr {
	if c.socket.fixed {
		return c.socket.addr
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real != nil {
		return c.real.LocalAddr()
	}
	if c.local == nil && c.fd >= 0 {
		local := eventloop.LocalAddr(c.fd)
		c.local = &net.TCPAddr{IP: local.Addr().AsSlice(), Port: int(local.Port()), Zone: local.Addr().Zone()}
	}
	if c.local == nil {
		return c.socket.addr
	}
	return c.local
}

// tcp returns the connection as Go's own.
func (c *Conn) tcp() (*net.TCPConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.unsyncedTCP()
}

func (c *Conn) unsyncedTCP() (*net.TCPConn, error) {
	if c.real != nil {
		return c.real, nil
	}
	if c.fd < 0 {
		return nil, c.unsyncedGone()
	}
	file := os.NewFile(uintptr(c.fd), "tcp")
	defer file.Close() // net has a descriptor of its own
	c.fd = -1
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	c.real = conn.(*net.TCPConn)
	_ = c.real.SetReadDeadline(c.readDeadline)
	_ = c.real.SetWriteDeadline(c.writeDeadline)
	return c.real, nil
}

func (c *Conn) unsyncedGone() error {
	if c.taken {
		return errTaken
	}
	return net.ErrClosed
}

// Read reads what the client has sent.
func (c *Conn) Read(bytes []byte) (n int, err error) {
	defer safely.Recover("reading from a client", func() { n, err = 0, safely.ErrPanic })
	safely.Reach("reading from a client")
	if n, ok, err := c.readAtOnce(bytes); ok {
		return n, err
	}
	conn, err := c.tcp()
	if err != nil {
		return 0, &net.OpError{Op: "read", Net: "tcp", Addr: c.RemoteAddr(), Err: err}
	}
	return conn.Read(bytes)
}

// readAtOnce reads without waiting, if the connection is not Go's yet and there is something to read. Most clients
// have spoken by the time that a matcher wants to know what they say.
func (c *Conn) readAtOnce(bytes []byte) (n int, ok bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fd < 0 || len(bytes) == 0 || !c.readDeadline.IsZero() && time.Until(c.readDeadline) <= 0 {
		return 0, false, nil
	}
	n, errno := eventloop.Recv(c.fd, bytes)
	switch {
	case errno == unix.EAGAIN:
		return 0, false, nil
	case errno != 0: // which is told once
		return 0, true, &net.OpError{Op: "read", Net: "tcp", Addr: c.RemoteAddr(), Err: os.NewSyscallError("recvfrom", errno)}
	case n == 0:
		return 0, true, io.EOF
	}
	return n, true, nil
}

// Write sends bytes to the client.
func (c *Conn) Write(bytes []byte) (n int, err error) {
	defer safely.Recover("writing to a client", func() { n, err = 0, safely.ErrPanic })
	safely.Reach("writing to a client")
	conn, err := c.tcp()
	if err != nil {
		return 0, &net.OpError{Op: "write", Net: "tcp", Addr: c.RemoteAddr(), Err: err}
	}
	return conn.Write(bytes)
}

// ReadFrom sends what it reads to the client, in the kernel where that is possible.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	conn, err := c.tcp()
	if err != nil {
		return 0, err
	}
	return conn.ReadFrom(r)
}

// CloseWrite ends the direction to the client.
func (c *Conn) CloseWrite() error {
	conn, err := c.tcp()
	if err != nil {
		return err
	}
	return conn.CloseWrite()
}

// SyscallConn returns access to the socket.
func (c *Conn) SyscallConn() (syscall.RawConn, error) {
	conn, err := c.tcp()
	if err != nil {
		return nil, err
	}
	return conn.SyscallConn()
}

// SetDeadline sets both deadlines.
func (c *Conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline sets the time when Read fails.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(&c.readDeadline, t, (*net.TCPConn).SetReadDeadline)
}

// SetWriteDeadline sets the time when Write fails.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(&c.writeDeadline, t, (*net.TCPConn).SetWriteDeadline)
}

// setDeadline notes a deadline, which also counts for the connection that this one becomes or has become.
func (c *Conn) setDeadline(deadline *time.Time, t time.Time, set func(*net.TCPConn, time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	*deadline = t
	if c.real != nil {
		return set(c.real, t)
	}
	return nil
}

// Close closes the connection, unless it was handed over.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsyncedSettle()
	defer c.promised.Release()
	switch {
	case c.real != nil:
		return c.real.Close()
	case c.fd >= 0:
		eventloop.Close(c.fd)
		c.fd = -1
	case c.taken:
	default:
		return net.ErrClosed
	}
	return nil
}

// Control calls a function with the descriptor of the connection, which does not become Go's by that.
func (c *Conn) Control(f func(fd uintptr)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real != nil {
		raw, err := c.real.SyscallConn()
		if err != nil {
			return err
		}
		return raw.Control(f)
	}
	if c.fd < 0 {
		return c.unsyncedGone()
	}
	f(uintptr(c.fd))
	return nil
}

// unsyncedSettle notes that it is known what becomes of the connection.
func (c *Conn) unsyncedSettle() {
	if !c.settled {
		c.settled = true
		unsettled.Add(-1)
	}
}

// Take hands the descriptor over to the caller, with what was promised to it. The connection itself cannot be used any
// more, but by Close.
func (c *Conn) Take() (fd int32, promised eventloop.Promise, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsyncedSettle()
	switch {
	case c.real != nil:
		fd, err = duplicate(c.real)
	case c.fd < 0:
		return -1, 0, c.unsyncedGone()
	default:
		fd = c.fd
		c.fd, c.taken = -1, true
	}
	if err == nil {
		promised, c.promised = c.promised, 0
	}
	return fd, promised, err
}

// HasTarget notes that the connection has its target, though it is not taken.
func (c *Conn) HasTarget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unsyncedSettle()
	c.promised.Connected()
}

// Interface guards
var (
	_ net.Conn      = (*Conn)(nil)
	_ syscall.Conn  = (*Conn)(nil)
	_ io.ReaderFrom = (*Conn)(nil)
)
