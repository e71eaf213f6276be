package integration

import (
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// deafen has a listening socket swallow SYNs. Whoever has sent one already is served.
func deafen(listener net.Listener) error {
	const flags, syn = 13, 0x02 // where they are in a TCP header
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flags},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: syn, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 31},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
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

// handshake is how long it takes on a busy machine, until one whose SYN has come is in the accept queue.
const handshake = 20 * time.Millisecond

// closeQuietly closes a listener, to which somebody accepts, when no connection waits in it: that would be reset, and
// nobody could tell whose it was.
func closeQuietly(listener net.Listener) error {
	if err := deafen(listener); err != nil {
		return err
	}
	time.Sleep(handshake)
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
