package listen

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
)

type listenFunc func(context.Context, string, net.ListenConfig, Open, func() bool) (net.Listener, error)

// opens returns how package net opens an address.
func opens(address string) Open {
	return func(ctx context.Context, config net.ListenConfig) (net.Listener, error) {
		return config.Listen(ctx, "tcp", address)
	}
}

// eachListener runs a test for each kind of listener.
func eachListener(t *testing.T, test func(t *testing.T, listen listenFunc)) {
	t.Run("shared", func(t *testing.T) { test(t, listenShared) })
	if runtime.GOOS == "linux" {
		t.Run("loop", func(t *testing.T) { test(t, Listen) })
	}
}

func mustListen(t *testing.T, listen listenFunc, address string) net.Listener {
	t.Helper()
	return mustListenIn(t, t.Context(), listen, address, nil)
}

// mustListenIn is mustListen for a config that may end, and may not serve yet.
func mustListenIn(t *testing.T, ctx context.Context, listen listenFunc, address string, serving func() bool) net.Listener {
	t.Helper()
	ln, err := listen(ctx, address, net.ListenConfig{}, opens(address), serving)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// serve accepts until the listener is closed, and hands out what it accepts.
func serve(ln net.Listener) (conns chan net.Conn) {
	conns = make(chan net.Conn, 1000)
	go func() {
		defer close(conns)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	return conns
}

func dialTo(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

func TestListenerServes(t *testing.T) {
	eachListener(t, func(t *testing.T, listen listenFunc) {
		ln := mustListen(t, listen, "127.0.0.1:0")
		conns := serve(ln)
		client := dialTo(t, ln.Addr().String())
		conn := <-conns
		defer conn.Close()
		if conn.RemoteAddr().String() != client.LocalAddr().String() || conn.LocalAddr().String() != client.RemoteAddr().String() {
			t.Errorf("from %v to %v, want from %v to %v", conn.RemoteAddr(), conn.LocalAddr(), client.LocalAddr(), client.RemoteAddr())
		}
		conntest.Send(t, client, "question")
		conntest.Expect(t, conn, "question")
		conntest.Send(t, conn, "answer")
		conntest.Expect(t, client, "answer")
		conntest.HalfClose(t, conn)
		conntest.ExpectEnd(t, client)
		_ = client.Close()
		conntest.ExpectEnd(t, conn)
	})
}

func TestClosedListener(t *testing.T) {
	eachListener(t, func(t *testing.T, listen listenFunc) {
		ln := mustListen(t, listen, "127.0.0.1:0")
		conns := serve(ln)
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if _, open := <-conns; open {
			t.Error("a connection out of nothing")
		}
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept: %v, want net.ErrClosed", err)
		}
		if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Close again: %v, want net.ErrClosed", err)
		}
		if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
			_ = conn.Close()
			t.Error("a closed listener lets clients in")
		}
	})
}

// What a listener had accepted when it was closed is returned before Accept fails, and counts until it is settled.
func TestCloseKeepsAccepted(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only the loop accepts more than it is asked for")
	}
	ln := mustListen(t, Listen, "127.0.0.1:0")
	const count = 10
	for range count {
		dialTo(t, ln.Addr().String())
	}
	before := Unsettled()
	conns := []net.Conn{}
	accept := func() error {
		conn, err := ln.Accept()
		if err == nil {
			conns = append(conns, conn)
		}
		return err
	}
	if err := accept(); err != nil { // which has the loop accept all that wait
		t.Fatal(err)
	}
	if got := Unsettled() - before; got != count {
		t.Fatalf("%d are accepted, want %d", got, count)
	}
	closed := make(chan error)
	go func() { closed <- ln.Close() }()
	for accept() == nil {
	}
	if err := <-closed; err != nil || len(conns) != count {
		t.Errorf("%d were returned, want %d (%v)", len(conns), count, err)
	}
	for _, conn := range conns {
		_ = conn.Close()
		_ = conn.Close()
	}
	if got := Unsettled(); got != before {
		t.Errorf("%d are not settled, want %d", got, before)
	}
}

// A listener that is closed when nobody accepts any more ends what it had accepted.
func TestCloseWithoutAccept(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only the loop accepts more than it is asked for")
	}
	ln := mustListen(t, Listen, "127.0.0.1:0")
	first, second := dialTo(t, ln.Addr().String()), dialTo(t, ln.Addr().String())
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	_ = conn.Close()
	conntest.ExpectEnd(t, first)
	conntest.ExpectEnd(t, second)
}

// TestTakeover replaces a listener by another on the same address again and again, while clients come.
func TestTakeover(t *testing.T) {
	eachListener(t, func(t *testing.T, listen listenFunc) {
		address := conntest.FreeAddress(t)
		var served sync.WaitGroup
		answer := func(ln net.Listener) {
			served.Go(func() {
				for conn := range serve(ln) {
					_, _ = io.WriteString(conn, "hello")
					_ = conn.Close()
				}
			})
		}
		old := mustListen(t, listen, address)
		answer(old)
		stop := make(chan struct{})
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					conn, err := net.Dial("tcp", address)
					if err != nil {
						t.Error(err)
						return
					}
					if got, err := io.ReadAll(conn); string(got) != "hello" {
						t.Errorf("read %q, %v", got, err)
					}
					_ = conn.Close()
				}
			})
		}
		for range 50 {
			next := mustListen(t, listen, address)
			answer(next)
			time.Sleep(2 * time.Millisecond) // for clients to come in between
			_ = old.Close()
			old = next
		}
		close(stop)
		clients.Wait()
		_ = old.Close()
		served.Wait()
	})
}

// TestFailedTakeover closes a new listener, whose config has failed, with the old one still there.
func TestFailedTakeover(t *testing.T) {
	eachListener(t, func(t *testing.T, listen listenFunc) {
		old := mustListen(t, listen, conntest.FreeAddress(t))
		failed := mustListen(t, listen, old.Addr().String())
		client := dialTo(t, old.Addr().String())
		_ = failed.Close()
		conn := <-serve(old)
		conntest.Send(t, client, "x")
		conntest.Expect(t, conn, "x")
		_ = conn.Close()
	})
}

// TestRefusedTakeover opens a new listener for a config that never serves and ends.
func TestRefusedTakeover(t *testing.T) {
	eachListener(t, func(t *testing.T, listen listenFunc) {
		old := mustListen(t, listen, conntest.FreeAddress(t))
		address, served := old.Addr().String(), serve(old)
		ctx, refuse := context.WithCancel(t.Context())
		never := func() bool { return false }
		refused := mustListenIn(t, ctx, listen, address, never)
		other := mustListenIn(t, ctx, listen, conntest.FreeAddress(t), never)
		wrong, wrongToo := serve(refused), serve(other)
		for range 20 {
			client := dialTo(t, address)
			conn := <-served
			conntest.Send(t, client, "x")
			conntest.Expect(t, conn, "x")
			_ = conn.Close()
		}
		waiting := dialTo(t, other.Addr().String())
		refuse()
		for _, conns := range []chan net.Conn{wrong, wrongToo} {
			for range conns {
				t.Error("a config that never served got a connection")
			}
		}
		if _, err := waiting.Read(make([]byte, 1)); err == nil {
			t.Error("a refused config answers")
		}
		if conn, err := net.Dial("tcp", other.Addr().String()); err == nil {
			_ = conn.Close()
			t.Error("a refused config still listens")
		}
		client := dialTo(t, address)
		conn := <-served
		conntest.Send(t, client, "x")
		conntest.Expect(t, conn, "x")
		_ = conn.Close()
	})
}

// TestServingBeginsLater opens the only listener of an address before its config serves.
func TestServingBeginsLater(t *testing.T) {
	eachListener(t, func(t *testing.T, listen listenFunc) {
		var ready atomic.Bool
		ln := mustListenIn(t, t.Context(), listen, conntest.FreeAddress(t), ready.Load)
		served := serve(ln)
		client := dialTo(t, ln.Addr().String())
		ready.Store(true)
		conn := <-served
		conntest.Send(t, client, "x")
		conntest.Expect(t, conn, "x")
		_ = conn.Close()
	})
}

// TestListenerIsBusy listens where a stranger does.
func TestListenerIsBusy(t *testing.T) {
	eachListener(t, func(t *testing.T, listenAt listenFunc) {
		address := conntest.Listen(t).Addr().String()
		if _, err := listenAt(t.Context(), address, net.ListenConfig{}, opens(address), nil); err == nil {
			t.Error("a port in use is listened on")
		}
	})
}
