//go:build !linux

package relay

import "net"

// stream carries bytes from src to dst until src ends or one of them fails.
func stream(dst, src net.Conn) (n int64, readErr, writeErr error) {
	return copyBuffered(dst, src)
}
