package connchain

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
)

// unread returns how many bytes wait in the socket.
func unread(t *testing.T, conn net.Conn) (n int) {
	t.Helper()
	var err error
	if e := Control(conn, func(fd uintptr) { n, err = unix.IoctlGetInt(int(fd), unix.SIOCINQ) }); err != nil || e != nil {
		t.Fatal(err, e)
	}
	return n
}

// send has the peer send bytes and waits until they have come.
func send(t *testing.T, conn, peer net.Conn, bytes int) {
	t.Helper()
	if _, err := peer.Write(make([]byte, bytes)); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return unread(t, conn) == bytes })
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
	}
}

// mustEnd fails unless the peer gets an orderly end and nothing before.
func mustEnd(t *testing.T, peer net.Conn) {
	t.Helper()
	if answer, err := io.ReadAll(peer); len(answer) > 0 || err != nil {
		t.Errorf("the peer got %q and %v, want the end", answer, err)
	}
}

// light is a connection that gives access to its socket by itself.
type light struct {
	*net.TCPConn
	controlled int
}

func (l *light) Control(f func(fd uintptr)) error {
	l.controlled++
	raw, err := l.TCPConn.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(f)
}

func (l *light) SyscallConn() (syscall.RawConn, error) {
	return nil, errors.New("it would not be light any more")
}

func (l *light) CloseWrite() error { return errors.New("it would not be light any more") }

// TestDismiss gives an orderly end to peers that have sent something, whatever is around their connection.
func TestDismiss(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	for name, c := range map[string]struct {
		network, address string
		wrap             func(net.Conn) net.Conn
	}{
		"tcp":     {"tcp", "127.0.0.1:0", func(c net.Conn) net.Conn { return c }},
		"unix":    {"unix", socket, func(c net.Conn) net.Conn { return c }},
		"wrapped": {"tcp", "127.0.0.1:0", func(c net.Conn) net.Conn { return wrap(*wrap(c)) }},
		"tls":     {"tcp", "127.0.0.1:0", func(c net.Conn) net.Conn { return wrap(tls.Server(wrap(c), nil)) }},
		"light":   {"tcp", "127.0.0.1:0", func(c net.Conn) net.Conn { return wrap(&light{TCPConn: c.(*net.TCPConn)}) }},
	} {
		t.Run(name, func(t *testing.T) {
			for _, bytes := range []int{0, 1, 60_000} {
				conn, peer := pair(t, c.network, c.address)
				send(t, conn, peer, bytes)
				Dismiss(c.wrap(conn))
				conn.Close()
				mustEnd(t, peer)
			}
			conn, peer := pair(t, c.network, c.address)
			Dismiss(c.wrap(conn))
			mustEnd(t, peer) // before the connection is closed
		})
	}
}

// TestDismissDiscardsSoMuch reads no more than its bound.
func TestDismissDiscardsSoMuch(t *testing.T) {
	conn, peer := tcpPair(t)
	const bytes = 3 * maxDiscarded
	var err error
	_ = Control(conn, func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4*bytes) })
	if err != nil {
		t.Skip("more than a megabyte can't be made to wait in a socket: ", err)
	}
	send(t, conn, peer, bytes)
	Dismiss(conn)
	if left := unread(t, conn); left == 0 || left > bytes-maxDiscarded {
		t.Errorf("%d of %d bytes are left", left, bytes)
	}
}

// TestShutdown ends both directions, and leaves the connection open for its owner.
func TestShutdown(t *testing.T) {
	conn, peer := tcpPair(t)
	Shutdown(wrap(conn))
	for _, end := range []net.Conn{conn, peer} {
		if n, err := end.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("read %d bytes and %v, want the end", n, err)
		}
	}
	if err := conn.Close(); err != nil {
		t.Errorf("its owner can't close it: %v", err)
	}
}

// TestResetOnClose changes how a connection ends, not when.
func TestResetOnClose(t *testing.T) {
	conn, peer := tcpPair(t)
	ResetOnClose(wrap(conn))
	if _, err := io.WriteString(conn, "x"); err != nil {
		t.Fatal(err)
	}
	if n, err := peer.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("read %d bytes and %v before the end", n, err)
	}
	conn.Close()
	if _, err := peer.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer got %v, want a reset", err)
	}
}

// TestDismissWhenClosed ends a connection in order, or by a reset that destroys nothing, when its owner closes it.
func TestDismissWhenClosed(t *testing.T) {
	for name, c := range map[string]struct {
		reset  bool
		answer string
		want   error
	}{
		"end":              {false, "", nil},
		"end after answer": {false, "answer", nil},
		"reset":            {true, "", syscall.ECONNRESET},
		"reset unanswered": {true, "answer", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, bytes := range []int{0, 10_000} {
				conn, peer := tcpPair(t)
				send(t, conn, peer, bytes)
				DismissWhenClosed(wrap(conn), c.reset)
				if _, err := io.WriteString(conn, c.answer); err != nil {
					t.Fatal(err)
				}
				conn.Close()
				if answer, err := io.ReadAll(peer); string(answer) != c.answer || !errors.Is(err, c.want) {
					t.Errorf("the peer got %q and %v, want %q and %v", answer, err, c.answer, c.want)
				}
			}
		})
	}
}

// TestPanicWhileDismissing closes the second descriptor all the same.
func TestPanicWhileDismissing(t *testing.T) {
	panicked := safelytest.InjectOnce(t, "dismissal")
	conn, peer := tcpPair(t)
	DismissWhenClosed(conn, false)
	conn.Close()
	mustEnd(t, peer)
	safelytest.AwaitPanic(t, panicked) // it is counted after the descriptor is closed
}

// TestHasLeft tells a peer that is gone from one that may still wait for an answer.
func TestHasLeft(t *testing.T) {
	for name, c := range map[string]struct {
		leave func(conn, peer net.Conn)
		want  bool
	}{
		"it is there":         {func(_, _ net.Conn) {}, false},
		"it talks":            {func(conn, peer net.Conn) { send(t, conn, peer, 1) }, false},
		"it ended":            {func(_, peer net.Conn) { _ = peer.(closeWriter).CloseWrite() }, true},
		"it talked and ended": {func(conn, peer net.Conn) { send(t, conn, peer, 1); _ = peer.(closeWriter).CloseWrite() }, false},
		"it closed":           {func(_, peer net.Conn) { peer.Close() }, true},
		"it reset":            {func(conn, peer net.Conn) { send(t, conn, peer, 1); ResetOnClose(peer); peer.Close() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			conn, peer := tcpPair(t)
			c.leave(conn, peer)
			if c.want {
				await(t, func() bool { return HasLeft(wrap(conn)) })
			} else if HasLeft(wrap(conn)) {
				t.Error("the peer has left")
			}
		})
	}
}
