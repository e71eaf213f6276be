package connchain

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

const (
	firstPause   = time.Millisecond
	longestPause = 64 * time.Millisecond
	// closingTime is longer than layer4 takes to find that no route wants the connection, unless its
	// `matching_timeout` is set higher.
	closingTime = 5 * time.Second
)

// HasLeft reports whether the peer is gone for good: it has reset the connection, or ended it before it sent anything.
// After a byte, an end may be that of one direction only. No byte is taken. Where the system can't tell it is false.
func HasLeft(conn net.Conn) (left bool) {
	_ = Control(conn, func(fd uintptr) {
		look := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		if n, err := unix.Poll(look, 0); err != nil || n == 0 {
			return
		}
		left = look[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 || sentNothing(int(fd))
	})
	return left
}

// sentNothing reports whether a peer that has ended its direction had sent nothing before. The end itself
// counts as one byte.
func sentNothing(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.Bytes_received <= 1
}

// DismissWhenClosed sees to it that the peer of a connection gets an orderly end, as Dismiss gives it, once the owner has
// closed the connection, or a reset if that is asked for and nothing was sent to the peer. Until then the owner may still
// serve it. The function returns at once.
//
// Only a second descriptor of the socket makes that possible; it is kept for the moment that the owner takes to close the
// first one, and for 5 seconds at most.
func DismissWhenClosed(conn net.Conn, reset bool) {
	socket := Socket(conn)
	if socket == nil {
		return
	}
	fd, err := -1, error(nil)
	if controlErr := socket.Control(func(original uintptr) {
		fd, err = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	}); controlErr != nil || err != nil {
		return // closed already, or out of descriptors: then it ends as its owner closes it
	}
	go safely.Do("dismissal", func() { dismissWhenClosed(socket, fd, reset) })
}

// dismissWhenClosed ends the connection of which fd is a second descriptor, as soon as the first one is closed.
func dismissWhenClosed(socket syscall.RawConn, fd int, reset bool) {
	defer unix.Close(fd)
	safely.Reach("dismissal")
	pause, began := firstPause, time.Now()
	for socket.Control(func(uintptr) {}) == nil {
		if time.Since(began) > closingTime {
			return // its owner serves it
		}
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
	if reset && !wasAnswered(fd) {
		ResetDescriptorOnClose(fd)
		return
	}
	DismissDescriptor(fd)
}

// wasAnswered reports whether something was sent to the peer, which a reset could destroy.
func wasAnswered(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.Bytes_sent+uint64(info.Notsent_bytes) > 0
}
