package relay

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// halfCloser is a connection that can end one direction. Within a wrapper it hides what else it is.
type halfCloser interface {
	net.Conn
	closeWriter
}

// unheard is a client's connection of which the relay is told as little as on systems other than Linux: nothing waits for
// its reset.
type unheard struct {
	halfCloser
	socket *net.TCPConn
}

// Control gives access to the socket for a moment.
func (u unheard) Control(f func(fd uintptr)) error {
	raw, err := u.socket.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(f)
}

// TestSeveredClientIsAwaited is a client that has ended its direction before its target resets. Nothing uses the
// connection any more then, but it must not be closed until the client has all that came before the reset, which it is
// told in the end.
func TestSeveredClientIsAwaited(t *testing.T) {
	b := startRun(t, "tcp", "127.0.0.1:0", nil, new(Options), func(c net.Conn) net.Conn {
		return unheard{c.(halfCloser), c.(*net.TCPConn)}
	})
	halfClose(t, b.client)
	expectEnd(t, b.target)
	const size = 256 << 10
	send(t, b.target, string(make([]byte, size)))
	awaitArrival(t, b.target)
	reset(b.target)
	<-b.failed
	b.failed <- struct{}{}
	if got, err := io.ReadAll(b.client); len(got) != size || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%d bytes of %d came before %v, want a reset", len(got), size, err)
	}
	b.wait(t)
}
