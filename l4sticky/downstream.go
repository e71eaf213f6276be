package l4sticky

import (
	"net"

	"github.com/mholt/caddy-l4/layer4"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/listen"
)

type closeWriter interface{ CloseWrite() error }

// downstream returns the client's connection to relay, the plain socket where that is possible, and what
// was read from it already.
func downstream(cx *layer4.Connection) (conn net.Conn, early []byte) {
	if listen.IsSocket(cx.Conn) {
		return cx.Conn, cx.MatchingBytes()
	}
	for conn := range connchain.All(cx.Conn) {
		if writer, ok := conn.(closeWriter); ok {
			return halfCloser{cx, writer}, nil
		}
	}
	return cx, nil
}

// halfCloser is a wrapped connection that can end one direction.
type halfCloser struct {
	net.Conn
	closeWriter
}

// isPacket reports whether datagrams are at the bottom of a connection. A Unix stream has the methods of a
// packet connection, too, but comes as it is.
func isPacket(conn net.Conn) bool {
	for c := range connchain.All(conn) {
		if listen.IsSocket(c) {
			return false
		}
		if _, packets := c.(net.PacketConn); packets {
			return true
		}
	}
	return false
}
