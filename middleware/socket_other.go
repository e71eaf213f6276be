//go:build !linux

package middleware

import (
	"net"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
)

// hasLeft would report whether the client is gone. Without a cheap way to tell, its decision is awaited.
func hasLeft(net.Conn) bool { return false }

// shut ends a connection.
func shut(conn net.Conn) { _ = connchain.Bottom(conn).Close() }

// farewell makes the end of a client that is kept out a reset, if that is asked for.
func farewell(conn net.Conn, reset bool) {
	if c, ok := connchain.Bottom(conn).(interface{ SetLinger(seconds int) error }); ok && reset {
		_ = c.SetLinger(0)
	}
}
