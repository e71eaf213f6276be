package relay

import (
	"net"
	"sync/atomic"
	"testing"
)

// told is a client's connection whose protocol has an end of its own, as TLS has.
type told struct {
	net.Conn
	ends  *atomic.Int64 // how often that was told
	block chan struct{} // until when telling it takes
}

func (c told) CloseWrite() error {
	<-c.block
	c.ends.Add(1)
	return c.Conn.(closeWriter).CloseWrite()
}

// TestClientIsToldTheEnd has the target end its stream before or after the client has ended its own: the client is told by
// its own protocol, that it can tell a whole answer from one that was cut.
func TestClientIsToldTheEnd(t *testing.T) {
	for _, first := range []string{"target", "client"} {
		var ends atomic.Int64
		block := make(chan struct{})
		close(block)
		b := startRun(t, "tcp", "127.0.0.1:0", nil, new(Options), func(c net.Conn) net.Conn { return told{c, &ends, block} })
		send(t, b.client, "question")
		if first == "client" {
			halfClose(t, b.client)
		}
		expect(t, b.target, "question")
		send(t, b.target, "answer")
		halfClose(t, b.target)
		expect(t, b.client, "answer")
		expectEnd(t, b.client)
		_ = b.client.Close()
		if b.wait(t); ends.Load() != 1 {
			t.Errorf("%s first: the client was told the end %d times", first, ends.Load())
		}
	}
}

// TestSlowEndHoldsNothingUp has it take its time to tell the client the end. The client's own direction goes on.
func TestSlowEndHoldsNothingUp(t *testing.T) {
	var ends atomic.Int64
	block := make(chan struct{})
	b := startRun(t, "tcp", "127.0.0.1:0", nil, new(Options), func(c net.Conn) net.Conn { return told{c, &ends, block} })
	send(t, b.client, "x")
	expect(t, b.target, "x")
	halfClose(t, b.target)
	for range 20 {
		send(t, b.client, "y")
		expect(t, b.target, "y")
	}
	close(block)
	expectEnd(t, b.client)
	_ = b.client.Close()
	expectEnd(t, b.target)
	b.wait(t)
}
