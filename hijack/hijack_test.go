package hijack

import (
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
)

// patience is how long a test waits for what should happen at once.
const patience = 15 * time.Second

func connection(conn net.Conn) *layer4.Connection {
	return layer4.WrapConnection(conn, nil, zap.NewNop())
}

// tcpPair returns both ends of a connection: the one that layer4 has, and the client's.
func tcpPair(t *testing.T) (accepted, client net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	if accepted, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	return accepted, client
}

// pipe is a connection without a socket.
func pipe(t *testing.T) (accepted, client net.Conn) {
	accepted, client = net.Pipe()
	t.Cleanup(func() { accepted.Close(); client.Close() })
	return accepted, client
}

// notify has a channel closed at the end of a connection.
func notify(w *Watcher) (told chan struct{}) {
	told = make(chan struct{})
	w.OnEnd(func() { close(told) })
	return told
}

func mustBeTold(t *testing.T, told chan struct{}) {
	t.Helper()
	select {
	case <-told:
	case <-time.After(patience):
		t.Fatal("the end of the connection is not told")
	}
}

// mustNotBeTold looks at all connections several times.
func mustNotBeTold(t *testing.T, told chan struct{}) {
	t.Helper()
	for range 3 {
		notices.look()
	}
	select {
	case <-told:
		t.Fatal("the end of the connection is told before it comes")
	default:
	}
}

// awaitIdle waits until no connection is looked at, so that the next test begins with nothing.
func awaitIdle(t *testing.T) {
	t.Cleanup(func() {
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			notices.mu.Lock()
			idle := notices.pending == nil
			notices.mu.Unlock()
			if idle {
				return
			}
			if time.Now().After(deadline) {
				t.Fatal("connections are looked at that nobody watches")
			}
		}
	})
}

// TestWatchedUntilClosed is about connections that no handler keeps.
func TestWatchedUntilClosed(t *testing.T) {
	awaitIdle(t)
	conn, _ := tcpPair(t)
	cx := connection(conn)
	if Watched(cx) {
		t.Error("a connection is watched from the start")
	}
	w := Watch(cx)
	if Watch(cx) != w || !Watched(cx) {
		t.Error("the connection is watched by several watchers, or none")
	}
	first, second, unwanted := notify(w), notify(w), make(chan struct{})
	w.OnEnd(func() { close(unwanted) })()
	mustNotBeTold(t, first)
	conn.Close()
	mustBeTold(t, first)
	mustBeTold(t, second)
	mustNotBeTold(t, unwanted)
}

// TestHijack is about a handler that keeps the socket when layer4 has closed the connection.
func TestHijack(t *testing.T) {
	awaitIdle(t)
	conn, _ := tcpPair(t)
	cx := connection(conn)
	w := Watch(cx)
	before := notify(w)
	var aborts atomic.Int64
	done := Hijack(cx, func() { aborts.Add(1) })
	after := notify(w)
	conn.Close()
	late := notify(w) // the socket can't be seen any more
	for _, told := range []chan struct{}{before, after, late} {
		mustNotBeTold(t, told)
	}
	w.End()
	w.End()
	if n := aborts.Load(); n != 2 {
		t.Errorf("the handler was told %d times to end the connection, want 2", n)
	}
	mustNotBeTold(t, before)
	done()
	for _, told := range []chan struct{}{before, after, late} {
		mustBeTold(t, told)
	}
	w.End()
	if n := aborts.Load(); n != 2 {
		t.Error("the handler is told to end a connection that is over")
	}
}

// TestHijackOfEnded is about a connection that is hijacked when it was to end already.
func TestHijackOfEnded(t *testing.T) {
	awaitIdle(t)
	conn, _ := tcpPair(t)
	cx := connection(conn)
	w := Watch(cx)
	told := notify(w)
	w.End()
	aborted := false
	done := Hijack(cx, func() { aborted = true })
	if !aborted {
		t.Error("the handler is not told to end the connection")
	}
	done()
	mustBeTold(t, told)
}

// TestHijackUnwatched is about handlers that hijack without looking whether somebody watches.
func TestHijackUnwatched(t *testing.T) {
	conn, _ := pipe(t)
	cx := connection(conn)
	Hijack(cx, func() { t.Error("the connection is ended") })()
	if Watched(cx) {
		t.Error("Hijack made the connection a watched one")
	}
}

// TestEnd ends the stream at once, and closes the connection a second later.
func TestEnd(t *testing.T) {
	awaitIdle(t)
	conn, client := tcpPair(t)
	w := Watch(connection(conn))
	told := notify(w)
	w.End()
	_ = client.SetDeadline(time.Now().Add(patience))
	if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("the client got %d bytes and %v, want the end", n, err)
	}
	mustBeTold(t, told)
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Error("the connection is still open")
	}

	synctest.Test(t, func(t *testing.T) {
		conn, client := pipe(t)
		began := time.Now()
		Watch(connection(conn)).End()
		if _, err := client.Read(make([]byte, 1)); err != io.EOF || time.Since(began) != closePause {
			t.Errorf("the client got %v after %v, want the end after %v", err, time.Since(began), closePause)
		}
	})
}

// TestWithoutSocket is about connections whose end can't be seen, unless a handler tells it.
func TestWithoutSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, _ := pipe(t)
		cx := connection(conn)
		w := Watch(cx)
		w.OnEnd(func() { t.Error("an end is told that can't be seen") })()
		done := Hijack(cx, func() {})
		told := notify(w)
		time.Sleep(time.Hour)
		mustNotBeTold(t, told)
		began := time.Now()
		done()
		<-told
		if took := time.Since(began); took > lookPause {
			t.Errorf("the end is told after %v", took)
		}
		time.Sleep(lookPause)
	})
}

// TestPanicWhileLooking tells of the ends of connections though one look at them has panicked, and one who was told.
func TestPanicWhileLooking(t *testing.T) {
	awaitIdle(t)
	panicked := safelytest.InjectOnce(t, "watched connections")
	told := make(chan struct{}, 2)
	for _, f := range []func(){func() { told <- struct{}{}; panic("injected") }, func() { told <- struct{}{} }} {
		conn, _ := tcpPair(t)
		Watch(connection(conn)).OnEnd(f)
		conn.Close()
	}
	for range 2 {
		select {
		case <-told:
		case <-time.After(patience):
			t.Fatal("the end of a connection is not told")
		}
	}
	for deadline := time.Now().Add(patience); panicked() < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d panics, want 2", panicked())
		}
	}
}
