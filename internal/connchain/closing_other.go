//go:build !linux

package connchain

import "net"

// HasLeft reports false: this system has no cheap way to tell whether the peer is gone.
func HasLeft(net.Conn) bool { return false }

// DismissWhenClosed makes the closing of a connection a reset, if that is asked for. The rest is as its owner closes it.
func DismissWhenClosed(conn net.Conn, reset bool) {
	if reset {
		ResetOnClose(conn)
	}
}
