package middleware

import (
	"net"
	"syscall"

	"github.com/mholt/caddy-l4/layer4"
)

// bottomOf returns the connection within all wrappers that can be seen through.
func bottomOf(conn net.Conn) net.Conn {
	for {
		var inner net.Conn
		switch c := conn.(type) {
		case *layer4.Connection:
			inner = c.Conn
		case interface{ NetConn() net.Conn }: // TLS
			inner = c.NetConn()
		case interface{ Raw() net.Conn }: // the PROXY protocol
			inner = c.Raw()
		}
		if inner == nil {
			return conn
		}
		conn = inner
	}
}

// socketOf returns the socket of a connection, or nil if it has none to be seen.
func socketOf(conn net.Conn) syscall.RawConn {
	c, ok := bottomOf(conn).(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}
