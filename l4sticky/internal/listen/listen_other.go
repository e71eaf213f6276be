//go:build !linux

package listen

import (
	"context"
	"net"
)

// Unsettled returns 0: on this system what listeners have accepted is not counted.
func Unsettled() int { return 0 }

// IsSocket reports whether a connection is a plain one of the system.
func IsSocket(conn net.Conn) bool { return isNetSocket(conn) }

// HasTarget tells a client's connection that it has its target, which is of no interest on this system.
func HasTarget(net.Conn) {}

// Listen returns a listener for a TCP address. The listeners for one address share one socket, which is open as long
// as any of them is. How to open it is the caller's; it must use the config that it is given.
//
// A listener gets connections once serving has said that its config does, which it is asked now and then; nil means from
// the start. It is closed when the context ends, so that a config that is refused half-way leaves nothing open.
func Listen(ctx context.Context, address string, config net.ListenConfig, open Open, serving func() bool) (net.Listener, error) {
	return listenShared(ctx, address, config, open, serving)
}
