//go:build !linux

package relay

import (
	"context"
	"net"
)

// Go carries a client to the target that its route finds. On this system it carries none, and reports false.
func Go(net.Conn, []byte, Route, *Options, *Leash) (bool, error) { return false, nil }

// Unsettled returns 0: on this system nobody counts what listeners have accepted.
func Unsettled() int { return 0 }

// Abort resets the connections whose Line is one of those.
func Abort(which func(owner any) bool) { abortRelays(which) }

// A Leash lets somebody else end the connection of a client that Go carries.
type Leash struct{}

// Pull does nothing, since there is no such connection.
func (*Leash) Pull() {}

// Dismiss gives a client that is not served an orderly end, as far as this system can.
func Dismiss(conn net.Conn) { closeWrite(conn) }

// IsSocket reports whether a connection is a plain one of the system.
func IsSocket(conn net.Conn) bool { return isNetSocket(conn) }

// Listen returns a listener for a TCP address. The listeners for one address share one socket, which is open as long
// as any of them is. How to open it is the caller's; it must use the config that it is given.
//
// A listener gets connections once serving has said that its config does, which it is asked now and then; nil means from
// the start. It is closed when the context ends, so that a config that is refused half-way leaves nothing open.
func Listen(ctx context.Context, address string, config net.ListenConfig, open Open, serving func() bool) (net.Listener, error) {
	return listenShared(ctx, address, config, open, serving)
}
