package relay

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/listen"
)

// plainSocket returns the socket of a plain connection, which can be read past Go's own methods, or nil for any other one.
func plainSocket(conn net.Conn) syscall.RawConn {
	if listen.IsSocket(conn) {
		return connchain.Socket(conn)
	}
	return nil
}

// isReset reports whether the other side has reset the connection.
func isReset(conn net.Conn) (reset bool) {
	_ = connchain.Control(conn, func(fd uintptr) { reset = hasError(fd) })
	return reset
}

// awaitReset waits, after the end of the stream, for a reset or the read deadline, and reports which it was.
func awaitReset(conn net.Conn) bool {
	raw := connchain.Socket(conn)
	return raw != nil && raw.Read(hasError) == nil
}

func hasError(fd uintptr) bool {
	poll := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n > 0 && poll[0].Revents&unix.POLLERR != 0
}

// unacknowledged returns how many bytes are on the way to the other side.
func unacknowledged(conn net.Conn) (bytes int) {
	_ = connchain.Control(conn, func(fd uintptr) { bytes = eventloop.Unacknowledged(int32(fd)) })
	return bytes
}

// streamEnded reports whether the peer has ended its stream, of which so many bytes were read: the system tells of a
// reset once, to the first call that reads or writes, and the stream seems to end well from then on.
func streamEnded(conn net.Conn, read int64) (ended bool) {
	ended = true
	_ = connchain.Control(conn, func(fd uintptr) { ended = eventloop.ReceivedEnd(int32(fd), read) })
	return ended
}
