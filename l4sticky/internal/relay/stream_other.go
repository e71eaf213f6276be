//go:build !linux

package relay

import "net"

// stream carries bytes from src to dst until src ends or one of them fails. Stalled is that of writeAll.
func stream(dst, src net.Conn, stalled func(waited bool) bool) (n int64, readErr, writeErr error) {
	return copyBuffered(dst, src, stalled)
}

// isReset reports whether the other side has reset the connection, where the system tells without a read.
func isReset(net.Conn) bool { return false }

// unacknowledged returns how many bytes are on the way to the other side, where the system tells.
func unacknowledged(net.Conn) int { return 0 }

// awaitReset waits, after the end of the stream, for a reset, where the system tells without a read.
func awaitReset(net.Conn) bool { return false }
