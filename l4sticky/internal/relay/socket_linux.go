package relay

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawConn returns the socket below a plain TCP or Unix connection, or nil for anything else.
func rawConn(conn net.Conn) syscall.RawConn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		if raw, err := conn.(syscall.Conn).SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

func isTCP(conn net.Conn) bool {
	_, ok := conn.(*net.TCPConn)
	return ok
}

// isReset reports whether the other side has reset the connection.
func isReset(conn net.Conn) (reset bool) {
	control(conn, func(fd int) {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(poll, 0)
		reset = err == nil && n > 0 && poll[0].Revents&unix.POLLERR != 0
	})
	return reset
}

// unacknowledged returns how many bytes are on the way to the other side.
func unacknowledged(conn net.Conn) (bytes int) {
	control(conn, func(fd int) {
		if n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ); err == nil {
			bytes = n
		}
	})
	return bytes
}

// control calls look with the descriptor of a plain connection, if it is one that is open.
func control(conn net.Conn, look func(fd int)) {
	if raw := rawConn(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { look(int(fd)) })
	}
}
