package listen

import "net"

// isNetSocket reports whether a connection is one of package net's that stream.
func isNetSocket(conn net.Conn) bool {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}
