package middleware

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// hasLeft reports whether the client is gone for good: it has reset the connection, or ended it before it sent
// anything. After a byte, an end may be that of one direction only. No byte is taken.
func hasLeft(conn net.Conn) (left bool) {
	socket := connchain.Socket(conn)
	if socket == nil {
		return false
	}
	_ = socket.Control(func(fd uintptr) {
		look := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		if n, err := unix.Poll(look, 0); err != nil || n == 0 {
			return
		}
		left = look[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 || saidNothing(int(fd))
	})
	return left
}

// saidNothing reports whether a peer that has ended its direction had sent nothing before. The end itself
// counts as one byte.
func saidNothing(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.Bytes_received <= 1
}

// shut ends both directions of a connection, which stays open for who handles it.
func shut(conn net.Conn) {
	if socket := connchain.Socket(conn); socket != nil {
		_ = socket.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	}
}

const (
	firstPause   = time.Millisecond
	longestPause = 64 * time.Millisecond
	// farewellTime is longer than layer4 takes to find that no route wants the connection, unless its
	// `matching_timeout` is set higher.
	farewellTime = 5 * time.Second
	maxDiscarded = 1 << 20
)

// farewell sees to it that a client that is kept out gets an orderly end, or a reset if that is asked for.
//
// It must not end the connection itself, since a route for blocked clients may still answer it. But it can't
// leave it to layer4 either: when it closes a socket that holds unread bytes, Linux sends a reset. So the
// socket is kept for the moment that layer4 takes to close it.
func farewell(conn net.Conn, reset bool) {
	socket := connchain.Socket(conn)
	if socket == nil {
		return
	}
	fd, err := -1, error(nil)
	if controlErr := socket.Control(func(original uintptr) {
		fd, err = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 0)
	}); controlErr != nil || err != nil {
		return // closed already, or out of descriptors: then it is as layer4 does it
	}
	go safely.Do("farewell", func() { seeOff(socket, fd, reset) })
}

// seeOff ends the connection of which fd is a second descriptor, as soon as the first one is closed.
func seeOff(socket syscall.RawConn, fd int, reset bool) {
	defer unix.Close(fd)
	safely.Reach("farewell")
	pause, began := firstPause, time.Now()
	for socket.Control(func(uintptr) {}) == nil {
		if time.Since(began) > farewellTime {
			return // a route serves it
		}
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
	if reset && !wasAnswered(fd) {
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		return
	}
	// The end goes out before anything else can, so that the client sees it even if it goes on sending.
	_ = unix.Shutdown(fd, unix.SHUT_WR)
	discard(fd)
}

// wasAnswered reports whether a route for blocked clients has sent something, which a reset could destroy.
func wasAnswered(fd int) bool {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.Bytes_sent+uint64(info.Notsent_bytes) > 0
}

// discard throws away what the client has sent so far.
func discard(fd int) {
	buffer := make([]byte, 4096)
	for discarded := 0; discarded < maxDiscarded; {
		n, _, err := unix.Recvfrom(fd, buffer, unix.MSG_DONTWAIT)
		if n <= 0 || err != nil {
			return
		}
		discarded += n
	}
}
