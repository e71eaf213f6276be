package connchain

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

// patience is how long a test waits for what should happen at once.
const patience = 15 * time.Second

// pair returns both ends of a stream, of which the peer's has patience.
func pair(t *testing.T, network, address string) (accepted, peer net.Conn) {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if peer, err = net.Dial(network, listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	if accepted, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	_ = peer.SetDeadline(time.Now().Add(patience))
	return accepted, peer
}

func tcpPair(t *testing.T) (accepted, peer net.Conn) { return pair(t, "tcp", "127.0.0.1:0") }

// talker is a peer that never stops, on a system whose sockets are out of reach.
type talker struct {
	net.Conn
	read       int
	closed     bool
	readBefore bool
	deadline   time.Time
}

func (c *talker) Read(p []byte) (int, error) {
	c.readBefore = c.readBefore || !c.closed
	c.read += len(p)
	return copy(p, bytes.Repeat([]byte("x"), len(p))), nil
}

func (c *talker) CloseWrite() error {
	c.closed = true
	return nil
}

func (c *talker) SetReadDeadline(deadline time.Time) error {
	c.deadline = deadline
	return nil
}

// TestDismissTalker discards a bounded part of what the peer sends, in a bounded time, after the end is sent.
func TestDismissTalker(t *testing.T) {
	c := new(talker)
	Dismiss(c)
	if !c.closed || c.readBefore || c.read < maxDiscarded || c.read > 2*maxDiscarded {
		t.Errorf("%d bytes were read, before the end: %t", c.read, c.readBefore)
	}
	if time.Until(c.deadline) > time.Second || c.deadline.IsZero() {
		t.Errorf("reading ends at %v", c.deadline)
	}
}

// TestEndOfNothing does nothing to connections that are no streams, or not there.
func TestEndOfNothing(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	for _, conn := range []net.Conn{nil, wrap(nil), a, wrap(a), new(net.TCPConn)} {
		Dismiss(conn)
		ResetOnClose(conn)
		DismissWhenClosed(conn, true)
		if HasLeft(conn) {
			t.Errorf("the peer of %T has left", conn)
		}
	}
	go func() { _, _ = io.WriteString(b, "x") }()
	if n, err := a.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("then came %d bytes and %v", n, err)
	}
}

// TestDismissSlowly is what Dismiss does on systems where sockets can only be read as package net does.
func TestDismissSlowly(t *testing.T) {
	conn, peer := tcpPair(t)
	if _, err := peer.Write(make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := io.ReadFull(conn, one); err != nil { // then all of it has come, on loopback
		t.Fatal(err)
	}
	_ = conn.(closeWriter).CloseWrite()
	discardFrom(conn)
	conn.Close()
	if answer, err := io.ReadAll(peer); len(answer) > 0 || err != nil {
		t.Errorf("the peer got %q and %v, want the end", answer, err)
	}
}
