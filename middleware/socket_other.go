//go:build !linux

package middleware

import "net"

// hasLeft would report whether the client is gone. Without a cheap way to tell, its decision is awaited.
func hasLeft(net.Conn) bool { return false }

// shut ends a connection.
func shut(conn net.Conn) { _ = bottomOf(conn).Close() }

// farewell makes the end of a client that is kept out a reset, if that is asked for.
func farewell(conn net.Conn, reset bool) {
	if c, ok := bottomOf(conn).(interface{ SetLinger(seconds int) error }); ok && reset {
		_ = c.SetLinger(0)
	}
}
