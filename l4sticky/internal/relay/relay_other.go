//go:build !linux

package relay

import (
	"net"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// Go carries a client to the target that its picker finds. On this system it carries none, and reports false.
func Go(net.Conn, []byte, int, search.Picker, *Options, *Aborter) (bool, error) { return false, nil }

// Abort resets the connections whose Established is one of those.
func Abort(which func(owner any) bool) { abortRelays(which) }

// An Aborter ends the connection of a client that Go carries.
type Aborter struct{}

// Abort does nothing, since there is no such connection.
func (*Aborter) Abort() {}
