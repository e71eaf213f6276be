//go:build !unix

package l4sticky

import (
	"errors"
	"net"
)

// listenInherited is an error, since processes of this system are started with no sockets.
func listenInherited(int, net.ListenConfig) (net.Listener, error) {
	return nil, errors.New("only Unix systems hand sockets over")
}
