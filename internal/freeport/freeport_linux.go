package freeport

import (
	"io"
	"net"
	"strconv"
	"syscall"
)

// reserve holds a port for this process by a name that only one socket of the machine can have, which the system gives
// back when the process ends, however it does.
func reserve(port int) (io.Closer, error) {
	return net.Listen("unix", "@caddy-sticky test port "+strconv.Itoa(port))
}

// noForks keeps this process from starting others until allow is called: until they have begun, they have a copy of each
// descriptor, by which a socket that is closed here stays open.
func noForks() (allow func()) {
	syscall.ForkLock.RLock()
	return syscall.ForkLock.RUnlock
}
