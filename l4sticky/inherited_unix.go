//go:build unix

package l4sticky

import (
	"errors"
	"fmt"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// listenInherited returns a listener for a listening TCP socket that this process was started with. The descriptor
// stays open for the configs to come.
func listenInherited(fd int, config net.ListenConfig) (net.Listener, error) {
	listens, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil || listens == 0 {
		return nil, errors.New("it is not a listening socket that this process was started with")
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, firstInherited)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(own), "")
	defer file.Close()
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		_ = ln.Close()
		return nil, fmt.Errorf("%v is no TCP address; without seamless/ it may be of any kind", ln.Addr())
	}
	if config.Control == nil {
		return tcp, nil
	}
	raw, err := tcp.SyscallConn()
	if err == nil {
		err = config.Control("tcp", tcp.Addr().String(), raw)
	}
	if err != nil {
		_ = tcp.Close()
		return nil, err
	}
	return tcp, nil
}
