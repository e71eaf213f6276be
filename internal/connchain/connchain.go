// Package connchain looks through connections that wrap others, as the handlers of layer4 make them.
package connchain

import (
	"fmt"
	"iter"
	"net"
	"reflect"
	"strings"
	"syscall"

	"github.com/pires/go-proxyproto"
)

// Inner returns the connection within a connection, or nil if there is none to be seen. Most wrappers are not
// exported by their packages, but the connection that they embed is.
func Inner(conn net.Conn) net.Conn {
	switch c := conn.(type) {
	case syscall.Conn:
		return nil // a socket
	case *proxyproto.Conn:
		return c.Raw()
	case interface{ NetConn() net.Conn }: // TLS
		return c.NetConn()
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

// All goes from a connection to the one at the bottom.
func All(conn net.Conn) iter.Seq[net.Conn] {
	return func(yield func(net.Conn) bool) {
		for ; conn != nil && yield(conn); conn = Inner(conn) {
		}
	}
}

// Bottom returns the connection within all wrappers.
func Bottom(conn net.Conn) (bottom net.Conn) {
	for ; conn != nil; conn = Inner(conn) {
		bottom = conn
	}
	return bottom
}

// Socket returns the socket at the bottom of a connection, or nil if there is none to be seen.
func Socket(conn net.Conn) syscall.RawConn {
	c, ok := Bottom(conn).(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// HeaderError returns what is wrong with a PROXY header that has to be at the beginning of a connection: then the
// connection has the address of who sent it, not of the client. It waits for a header that nobody has waited for yet,
// for no longer than the time limit that it was given, by default 10 seconds, and the connection's read deadline.
func HeaderError(conn net.Conn) error {
	for ; conn != nil; conn = Inner(conn) {
		if c, ok := conn.(*proxyproto.Conn); ok {
			// The error comes first, and with nothing to read from, nothing else happens.
			if _, err := c.ReadFrom(strings.NewReader("")); err != nil {
				return fmt.Errorf("no valid PROXY header: %w", err)
			}
		}
	}
	return nil
}
