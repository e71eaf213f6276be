//go:build !linux

package relay

import (
	"context"
	"net"
)

// Go carries a client to the target that its route finds. On this system it carries none, and reports false.
func Go(net.Conn, []byte, Route, *Options) (bool, error) { return false, nil }

// IsSocket reports whether a connection is a plain one of the system.
func IsSocket(conn net.Conn) bool { return isNetSocket(conn) }

// Listen returns a listener for a TCP address. The listeners for one address share one socket, which is open as long
// as any of them is. The network is tcp, tcp4 or tcp6. The options of config hold for the first listener of an
// address.
func Listen(ctx context.Context, network, address string, config net.ListenConfig) (net.Listener, error) {
	return listenShared(ctx, network, address, config)
}
