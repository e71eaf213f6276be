package listen

import (
	"net"
	"syscall"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

// TakeSocket hands over the descriptor of a connection that a loop can carry: of a listener's own, or a duplicate of that of
// a plain TCP connection, which the caller goes on to close. It reports false for any other one. Fresh means that the
// socket has the options of keepalive.Default.
func TakeSocket(conn net.Conn) (fd int32, promised eventloop.Promise, fresh, ok bool, err error) {
	switch c := conn.(type) {
	case *Conn:
		fd, promised, err = c.Take()
		return fd, promised, true, true, err
	case *net.TCPConn:
		fd, err = duplicate(c)
		return fd, 0, false, true, err
	}
	return -1, 0, false, false, nil
}

// duplicate returns a descriptor of its own for a socket, which Go's poller does not know.
func duplicate(socket syscall.Conn) (int32, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return -1, err
	}
	return duplicateRaw(raw)
}

// IsSocket reports whether a connection is a plain one of the system.
func IsSocket(conn net.Conn) bool {
	_, own := conn.(*Conn)
	return own || isNetSocket(conn)
}

// HasTarget tells a client's connection that it has its target, though its descriptor is not taken.
func HasTarget(client net.Conn) {
	if c, ok := connchain.Bottom(client).(*Conn); ok {
		c.HasTarget()
	}
}
