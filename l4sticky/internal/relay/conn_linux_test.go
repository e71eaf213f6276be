package relay

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// accepted returns the two ends of a connection that came through a Listener at an address.
func accepted(t *testing.T, address string) (client, conn net.Conn) {
	t.Helper()
	ln := mustListen(t, Listen, address)
	port := ln.Addr().(*net.TCPAddr).AddrPort().Port()
	client = dialTo(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	conn, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return client, conn
}

// TestLocalAddressStays asks for it after the connection has become Go's.
func TestLocalAddressStays(t *testing.T) {
	client, conn := accepted(t, "0.0.0.0:0")
	send(t, conn, "x")
	expect(t, client, "x")
	if got, want := conn.LocalAddr().String(), client.RemoteAddr().String(); got != want {
		t.Errorf("the connection is at %s, want %s", got, want)
	}
}

// TestDismiss ends connections in order whose clients have sent something.
func TestDismiss(t *testing.T) {
	for name, used := range map[string]bool{"light": false, "real": true} {
		t.Run(name, func(t *testing.T) {
			client, conn := accepted(t, "127.0.0.1:0")
			if used {
				send(t, conn, "x")
				expect(t, client, "x")
			}
			send(t, client, "early")
			Dismiss(conn)
			_ = conn.Close()
			expectEnd(t, client)
		})
	}
}

// TestFirstReadTellsReset reads from a client that has reset, and not ended its stream.
func TestFirstReadTellsReset(t *testing.T) {
	client, conn := accepted(t, "127.0.0.1:0")
	reset(client)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %v, want a reset", err)
	}
}

// TestClientResetBeforeDial hands over a client that has gone, for a target that says nothing and waits.
func TestClientResetBeforeDial(t *testing.T) {
	client, down, route, b := seekers(t)
	ln := listen(t)
	route.targets = []Target{at(ln)}
	reset(client)
	mustGo(t, down, route)
	select {
	case err := <-route.lost:
		if !errors.Is(err, ErrClientLeft) {
			t.Errorf("lost with %v", err)
		}
	case r := <-b.result:
		if r.ClientErr == nil {
			t.Errorf("result %+v, want the client's error", r)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nobody notices that the client is gone")
	}
}

// TestManyAccept lets several goroutines wait in one listener.
func TestManyAccept(t *testing.T) {
	const n = 4
	eachListener(t, func(t *testing.T, listen listenFunc) {
		ln := mustListen(t, listen, freeAddress(t))
		got := make(chan net.Conn, n)
		var all sync.WaitGroup
		for range n {
			all.Go(func() {
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					got <- conn
				}
			})
		}
		for range n {
			dialTo(t, ln.Addr().String())
			_ = (<-got).Close()
		}
		_ = ln.Close()
		ended := make(chan struct{})
		go func() {
			all.Wait()
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			t.Fatal("an Accept does not return though the listener is closed")
		}
	})
}
