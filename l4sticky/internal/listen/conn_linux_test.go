package listen

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
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
	conntest.Send(t, conn, "x")
	conntest.Expect(t, client, "x")
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
				conntest.Send(t, conn, "x")
				conntest.Expect(t, client, "x")
			}
			conntest.Send(t, client, "early")
			connchain.Dismiss(conn)
			_ = conn.Close()
			conntest.ExpectEnd(t, client)
		})
	}
}

// TestFirstReadTellsReset reads from a client that has reset, and not ended its stream.
func TestFirstReadTellsReset(t *testing.T) {
	client, conn := accepted(t, "127.0.0.1:0")
	conntest.Reset(client)
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %v, want a reset", err)
	}
}

// TestManyAccept lets several goroutines wait in one listener.
func TestManyAccept(t *testing.T) {
	const n = 4
	eachListener(t, func(t *testing.T, listen listenFunc) {
		ln := mustListen(t, listen, conntest.FreeAddress(t))
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
