//go:build !unix

package connchain

import "net"

// Shutdown ends a connection, of which this system can't end both directions and keep it open.
func Shutdown(conn net.Conn) {
	if bottom := Bottom(conn); bottom != nil {
		_ = bottom.Close()
	}
}

// ResetOnClose makes the closing of a TCP connection a reset.
func ResetOnClose(conn net.Conn) {
	if c, ok := Bottom(conn).(interface{ SetLinger(seconds int) error }); ok {
		_ = c.SetLinger(0)
	}
}

func dismissSocket(net.Conn) bool { return false }
