package freeport

import (
	"io"
	"net"
	"strconv"
)

// reserve holds a port for this process by a name that only one socket of the machine can have, which the system gives
// back when the process ends, however it does.
func reserve(port int) (io.Closer, error) {
	return net.Listen("unix", "@caddy-sticky test port "+strconv.Itoa(port))
}
