package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

// holdLoop keeps the loop from looking at events, until the returned function is called.
func holdLoop(t *testing.T) (release func()) {
	t.Helper()
	l, err := eventloop.Main()
	if err != nil {
		t.Fatal(err)
	}
	held, gate := make(chan struct{}), make(chan struct{})
	l.Post(func() {
		close(held)
		<-gate
	})
	<-held
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release)
	return release
}

// awaitArrival waits until all that was written to a connection is in the other side's hands.
func awaitArrival(t *testing.T, conn net.Conn) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); unacknowledged(conn) > 0; {
		if time.Now().After(deadline) {
			t.Fatal("the other side does not take what was written")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestResetInBurst resets in the middle of a burst, from either side.
func TestResetInBurst(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		b := kinds["loop"](t, nil)
		go func() { _, _ = io.Copy(b.client, endless{}) }()
		if _, err := io.CopyN(io.Discard, b.target, 8<<20); err != nil {
			t.Fatal(err)
		}
		reset(b.client)
		if _, err := io.Copy(io.Discard, b.target); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the target reads %v, want a reset: the stream was cut", err)
		}
		if r := b.wait(t); !errors.Is(r.ClientErr, syscall.ECONNRESET) {
			t.Errorf("result %+v, want the client's reset", r)
		}
	})
	t.Run("target", func(t *testing.T) {
		b := kinds["loop"](t, nil)
		go func() { _, _ = io.Copy(b.target, endless{}) }()
		if _, err := io.CopyN(io.Discard, b.client, 8<<20); err != nil {
			t.Fatal(err)
		}
		reset(b.target)
		if _, err := io.Copy(io.Discard, b.client); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client reads %v, want a reset: the stream was cut", err)
		}
		_ = b.client.Close()
		if r := b.wait(t); !errors.Is(r.TargetErr, syscall.ECONNRESET) {
			t.Errorf("result %+v, want the target's reset", r)
		}
	})
}

// TestNoPipeForTheDead lets a client reset whose next bytes would begin a burst.
func TestNoPipeForTheDead(t *testing.T) {
	before := len(pipes)
	b := kinds["loop"](t, nil)
	halfClose(t, b.client)
	expectEnd(t, b.target)
	fill := func() (release func()) {
		release = holdLoop(t)
		if _, err := b.target.Write(make([]byte, eventloop.BufferSize)); err != nil {
			t.Fatal(err)
		}
		awaitArrival(t, b.target)
		return release
	}
	fill()()
	if _, err := io.CopyN(io.Discard, b.client, eventloop.BufferSize); err != nil {
		t.Fatal(err)
	}
	release := fill()
	reset(b.client)
	release()
	b.wait(t)
	if after := len(pipes); after != before {
		t.Errorf("%d pipes are left of %d", after, before)
	}
}
