package connchain

import (
	"errors"
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

// controller is a connection that gives access to its socket without making anything for it first.
type controller interface {
	Control(f func(fd uintptr)) error
}

var errNoSocket = errors.New("no socket at the bottom of the connection")

// Control calls f with the descriptor of the socket at the bottom of a connection, which stays open meanwhile. It returns
// an error, and does not call f, if the socket is closed or there is none to be seen.
func Control(conn net.Conn, f func(fd uintptr)) error {
	if c, ok := Bottom(conn).(controller); ok {
		return c.Control(f)
	}
	socket := Socket(conn)
	if socket == nil {
		return errNoSocket
	}
	return socket.Control(f)
}

// Header returns the PROXY header that came with a connection, or nil if none did. It waits for it as HeaderError does.
func Header(conn net.Conn) *proxyproto.Header {
	for ; conn != nil; conn = Inner(conn) {
		if c, ok := conn.(*proxyproto.Conn); ok {
			return c.ProxyHeader()
		}
	}
	return nil
}

// HeaderError returns what is wrong with a PROXY header that has to be at the beginning of a connection: then the
// connection has the address of who sent it, not of the client. It waits for a header that has not been waited for yet,
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
