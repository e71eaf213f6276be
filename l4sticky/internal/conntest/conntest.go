package conntest

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
)

// Listen returns a listener on a free port that is closed at the end of the test.
func Listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// FreeAddress returns an address at which no socket listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	ln := Listen(t)
	defer ln.Close()
	return ln.Addr().String()
}

// Connected returns the two ends of a connection.
func Connected(t testing.TB, network, address string) (dialled, accepted net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if dialled, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

// Send writes a text.
func Send(t testing.TB, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

// Expect reads a text.
func Expect(t testing.TB, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

// ExpectEnd reads the end of a stream.
func ExpectEnd(t testing.TB, conn net.Conn) {
	t.Helper()
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Fatalf("read %q, %v; want the end of the stream", rest, err)
	}
}

// ExpectReset reads the rest of a stream, which must be cut.
func ExpectReset(t testing.TB, conn net.Conn) {
	t.Helper()
	rest, err := io.ReadAll(conn)
	if _, isTCP := conn.(*net.TCPConn); !isTCP && err == nil {
		return // there is no reset of a Unix socket
	}
	if len(rest) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %q, %v; want a reset", rest, err)
	}
}

// HalfClose ends one direction.
func HalfClose(t testing.TB, conn net.Conn) {
	t.Helper()
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// Reset closes a connection by a reset.
func Reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}
