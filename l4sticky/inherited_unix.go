//go:build unix

package l4sticky

import (
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
		return nil, fmt.Errorf("listening on fd/%d: it is not a listening socket that this process was started with", fd)
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, firstInherited)
	if err != nil {
		return nil, fmt.Errorf("listening on fd/%d: %w", fd, os.NewSyscallError("fcntl", err))
	}
	file := os.NewFile(uintptr(own), "")
	defer file.Close()
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("listening on fd/%d: %w", fd, err)
	}
	tcp, ok := ln.(*net.TCPListener)
	if !ok {
		_ = ln.Close()
		return nil, fmt.Errorf("listening on fd/%d: %v is no TCP address; without seamless/ it may be of any kind", fd, ln.Addr())
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
		return nil, fmt.Errorf("listening on fd/%d: %w", fd, err)
	}
	return tcp, nil
}
