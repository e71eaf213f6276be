//go:build unix

package connchain

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// Shutdown ends both directions of a connection at once. It stays open until its owner, who reads the end, closes it.
func Shutdown(conn net.Conn) {
	_ = Control(conn, func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
}

// ResetOnClose makes the closing of a TCP connection a reset.
func ResetOnClose(conn net.Conn) {
	_ = Control(conn, func(fd uintptr) { ResetDescriptorOnClose(int(fd)) })
}

// ResetDescriptorOnClose is ResetOnClose for a socket that package net does not know.
func ResetDescriptorOnClose(fd int) {
	_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

func dismissSocket(conn net.Conn) bool {
	return Control(conn, func(fd uintptr) { DismissDescriptor(int(fd)) }) == nil
}

// DismissDescriptor is Dismiss for a socket that package net does not know. It does not wait.
func DismissDescriptor(fd int) {
	_ = unix.Shutdown(fd, unix.SHUT_WR)
	buffer := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buffer)
	for discarded := 0; discarded < maxDiscarded; {
		n, _, err := unix.Recvfrom(fd, buffer[:], unix.MSG_DONTWAIT)
		if n <= 0 || err != nil {
			return
		}
		discarded += n
	}
}
