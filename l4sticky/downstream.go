package l4sticky

import (
	"net"
	"reflect"

	"github.com/mholt/caddy-l4/layer4"
	"github.com/pires/go-proxyproto"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
)

type closeWriter interface{ CloseWrite() error }

// downstream returns the client's connection to relay, the plain socket where that is possible, and what
// was read from it already.
func downstream(cx *layer4.Connection) (conn net.Conn, early []byte) {
	if relay.IsSocket(cx.Conn) {
		return cx.Conn, cx.MatchingBytes()
	}
	var writer closeWriter
	bottom := cx.Conn
	for conn := cx.Conn; conn != nil; conn = unwrap(conn) {
		if w, ok := conn.(closeWriter); ok && writer == nil {
			writer = w
		}
		bottom = conn
	}
	if writer == nil {
		return cx, nil
	}
	return halfCloser{cx, writer, bottom}, nil
}

// halfCloser is a wrapped connection that can end one direction.
type halfCloser struct {
	net.Conn
	closeWriter
	bottom net.Conn
}

// Socket returns the connection below all wrappers, for the relay to look at.
func (h halfCloser) Socket() net.Conn { return h.bottom }

// isPacket reports whether datagrams are at the bottom of a connection. A Unix stream has the methods of a
// packet connection, too, but comes as it is.
func isPacket(conn net.Conn) bool {
	for ; conn != nil; conn = unwrap(conn) {
		if relay.IsSocket(conn) {
			return false
		}
		if _, packets := conn.(net.PacketConn); packets {
			return true
		}
	}
	return false
}

// unwrap returns the connection within a connection, or nil if there is none to be seen. The wrappers of caddy-l4's
// handlers are not exported, but the connection that they embed is.
func unwrap(conn net.Conn) net.Conn {
	if c, ok := conn.(*proxyproto.Conn); ok {
		return c.Raw()
	}
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok {
		return c.NetConn() // TLS
	}
	value := reflect.Indirect(reflect.ValueOf(conn))
	if value.Kind() != reflect.Struct {
		return nil
	}
	field, found := value.Type().FieldByName("Conn")
	if !found || len(field.Index) != 1 {
		return nil
	}
	inner, _ := value.FieldByIndex(field.Index).Interface().(net.Conn)
	return inner
}
