package connchain

import (
	"io"
	"net"
	"time"
)

const (
	// maxDiscarded bounds what is read from a peer that is not served.
	maxDiscarded = 1 << 20
	// discardTime bounds how long that takes where reading can't be done without waiting.
	discardTime = time.Millisecond
)

type closeWriter interface{ CloseWrite() error }

// Dismiss gives the peer of a stream an orderly end, whatever it has sent. It comes before the connection is closed: a
// system sends a reset when a socket is closed that holds unread bytes. So the direction to the peer ends first, that the
// peer sees the end even if it goes on sending, and then up to 1 MiB of what has come is discarded. Wrappers such as TLS
// end their own stream before. After that the connection can only be closed.
func Dismiss(conn net.Conn) {
	bottom := Bottom(conn)
	socket, stream := bottom.(closeWriter)
	if !stream {
		return
	}
	for c := range All(conn) {
		if w, ok := c.(closeWriter); ok && c != bottom {
			_ = w.CloseWrite()
			break
		}
	}
	if !dismissSocket(bottom) {
		_ = socket.CloseWrite()
		discardFrom(bottom)
	}
}

// discardFrom discards what has come, for systems and connections whose socket is out of reach.
func discardFrom(conn net.Conn) {
	if conn.SetReadDeadline(time.Now().Add(discardTime)) == nil {
		_, _ = io.CopyN(io.Discard, conn, maxDiscarded)
	}
}
