package relay

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// rawConn returns the socket below a plain TCP or Unix connection, or nil for anything else.
func rawConn(conn net.Conn) syscall.RawConn {
	if IsSocket(conn) {
		if raw, err := conn.(syscall.Conn).SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// isReset reports whether the other side has reset the connection.
func isReset(conn net.Conn) (reset bool) {
	if raw := socketBelow(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { reset = hasError(fd) })
	}
	return reset
}

// awaitReset waits, after the end of the stream, for a reset or the read deadline, and reports which it was.
func awaitReset(conn net.Conn) bool {
	raw := socketBelow(conn)
	return raw != nil && raw.Read(hasError) == nil
}

func hasError(fd uintptr) bool {
	poll := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(poll, 0)
	return err == nil && n > 0 && poll[0].Revents&unix.POLLERR != 0
}

// unacknowledged returns how many bytes are on the way to the other side.
func unacknowledged(conn net.Conn) (bytes int) {
	if raw := socketBelow(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) {
			if n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
				bytes = n
			}
		})
	}
	return bytes
}

// Apply gives the options to the socket of a connection. A Unix socket has none of them.
func (k *KeepAlive) Apply(conn net.Conn) {
	if raw := socketBelow(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { k.setOptions(int32(fd)) })
	}
}

// abort makes the closing of a connection a reset.
func abort(conn net.Conn) {
	if raw := socketBelow(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { noLinger(int32(fd)) })
	}
}

// streamEnded reports whether the peer has ended its stream, of which so many bytes were read: the system tells of a
// reset once, to whoever reads or writes first, and the stream seems to end well from then on.
func streamEnded(conn net.Conn, read int64) (ended bool) {
	ended = true
	if raw := socketBelow(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { ended = receivedEnd(int32(fd), read) })
	}
	return ended
}

// maxDiscarded bounds what is read from a client that is not served.
const maxDiscarded = 1 << 20

// Dismiss gives a client that is not served an orderly end. It comes before its connection is closed, which would be
// a reset if the client has sent something.
func Dismiss(conn net.Conn) {
	if c, ok := conn.(*Conn); ok && c.dismiss() {
		return
	}
	closeWrite(conn)
	if raw := socketBelow(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { dismiss(int32(fd)) })
	}
}

// dismiss ends the direction to the client before anything else can, and throws away what came from there.
func dismiss(fd int32) {
	sysShutdown(fd)
	buffer := largeBuffers.Get().(*[largeSize]byte)
	defer largeBuffers.Put(buffer)
	for discarded := 0; discarded < maxDiscarded; {
		n, errno := sysRecv(fd, buffer[:])
		if n <= 0 || errno != 0 {
			return
		}
		discarded += n
	}
}

// noteTarget tells a client's connection that it has its target.
func noteTarget(client net.Conn) {
	if c, ok := below(client).(*Conn); ok {
		c.hasTarget()
	}
}

// socketBelow returns the socket of a plain connection, or of one that tells what is below it.
func socketBelow(conn net.Conn) syscall.RawConn {
	return rawConn(below(conn))
}
