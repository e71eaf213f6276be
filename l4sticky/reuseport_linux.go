package l4sticky

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// isV6Only reports whether a socket for all addresses is for IPv6 alone.
func isV6Only(raw syscall.RawConn) (only bool) {
	_ = raw.Control(func(fd uintptr) {
		value, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		only = err == nil && value != 0
	})
	return only
}
