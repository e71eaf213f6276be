//go:build !linux

package relay

import "net"

// stream carries bytes from src until it ends or reading or writing fails.
func stream(write func([]byte) (int, error), src net.Conn) (n int64, readErr, writeErr error) {
	return copyBuffered(write, src)
}

// isReset reports whether the other side has reset the connection, where the system tells without a read.
func isReset(net.Conn) bool { return false }

// unacknowledged returns how many bytes are on the way to the other side, where the system tells.
func unacknowledged(net.Conn) int { return 0 }

// awaitReset waits, after the end of the stream, for a reset, where the system tells without a read.
func awaitReset(net.Conn) bool { return false }

// streamEnded reports whether the peer has ended its stream. This system does not tell.
func streamEnded(net.Conn, int64) bool { return true }
