//go:build !linux

package keepalive

import (
	"net"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
)

// Apply gives the options that this system has to the socket of a connection, if that is one of TCP.
func (o *Options) Apply(conn net.Conn) {
	if tcp, ok := connchain.Bottom(conn).(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: o.Idle > 0, Idle: o.Idle, Interval: o.Interval})
	}
}
