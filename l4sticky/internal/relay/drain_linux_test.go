package relay

import (
	"net"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// TestDrainsAfterTargetReset is a client that has sent much, and its end, to a target that is gone. There is no further
// event that would tell of what is left of that, and it must not keep the pair until the client has lingered.
func TestDrainsAfterTargetReset(t *testing.T) {
	const size = 4 * rounds * eventloop.BufferSize
	client, down, picker, b := seekers(t)
	_ = down.(*net.TCPConn).SetReadBuffer(2 * size)
	_ = client.(*net.TCPConn).SetWriteBuffer(eventloop.BufferSize)
	ln := conntest.Listen(t)
	picker.targets = []search.Target{at(ln)}
	mustGo(t, down, picker)
	target, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	send(t, client, "x")
	expect(t, target, "x")
	release := holdLoop(t)
	reset(target)
	_ = client.SetWriteDeadline(time.Now().Add(5 * time.Second))
	if _, err = client.Write(make([]byte, size)); err != nil {
		t.Skipf("sockets of this machine do not hold %d bytes: %v", size, err)
	}
	halfClose(t, client)
	awaitArrival(t, client)
	began := time.Now()
	release()
	expectReset(t, client)
	b.wait(t)
	if took := time.Since(began); took >= linger {
		t.Errorf("it took %v until what the client had sent was thrown away", took)
	}
}
