package keepalive

import (
	"net"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
)

// Apply gives the options to the socket of a connection. A Unix socket has none of them.
func (o *Options) Apply(conn net.Conn) {
	if raw := connchain.Socket(conn); raw != nil {
		_ = raw.Control(func(fd uintptr) { o.ApplyTo(int32(fd)) })
	}
}

// ApplyTo gives the options to a socket. What a listening socket accepts inherits them.
func (o *Options) ApplyTo(fd int32) {
	set(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	set(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int32(o.UserTimeout.Milliseconds()))
	if o.Idle == 0 {
		set(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
		return
	}
	set(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	set(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int32(o.Idle/time.Second))
	set(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int32(o.Interval/time.Second))
}

// set goes past Go's scheduler, since the call never waits and event loops make it for each connection.
func set(fd int32, level, option int, value int32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
}
