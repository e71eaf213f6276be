package integration

import (
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// deafen has a listening socket swallow SYNs: a filter drops whatever comes to it. Connections that it has accepted
// already go on.
func deafen(listener net.Listener) error {
	const drop = 0x06 // BPF_RET: take 0 bytes of the packet
	filter := unix.SockFilter{Code: drop}
	program := unix.SockFprog{Len: 1, Filter: &filter}
	return onSocket(listener, func(fd int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program))
	})
}

// hearAgain ends what deafen did.
func hearAgain(listener net.Listener) error {
	return onSocket(listener, func(fd int) error {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0))
	})
}

// closeQuietly closes a listener, to which somebody accepts, when no connection waits in it: that would be reset, and
// nobody could tell whose it was.
func closeQuietly(listener net.Listener) error {
	if err := deafen(listener); err != nil {
		return err
	}
	for waiting := true; waiting; {
		if err := onSocket(listener, func(fd int) error {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				return os.NewSyscallError("getsockopt", err)
			}
			waiting = info.Unacked > 0 // of a listening socket, the length of its accept queue
			return nil
		}); err != nil {
			return err
		}
		if waiting {
			time.Sleep(time.Millisecond)
		}
	}
	return listener.Close()
}

func onSocket(listener net.Listener, do func(fd int) error) error {
	raw, err := listener.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	var done error
	if err := raw.Control(func(fd uintptr) { done = do(int(fd)) }); err != nil {
		return err
	}
	return done
}
