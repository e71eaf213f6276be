package relay

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

// resetting are the kinds whose clients can reset.
var resetting = []string{"loop", "tcp", "wrapped"}

// TestClientResetWhileLingering is a client that goes after its target has ended its stream and gone: the pair ends at
// once.
func TestClientResetWhileLingering(t *testing.T) {
	for _, kind := range resetting {
		b := kinds[kind](t, nil)
		send(t, b.client, "x")
		expect(t, b.target, "x")
		halfClose(t, b.target)
		expectEnd(t, b.client)
		reset(b.target)
		send(t, b.client, "y")
		began := time.Now()
		reset(b.client)
		if r := b.wait(t); r.TargetErr != nil {
			t.Errorf("%s: result %+v, want no error of a target that left", kind, r)
		}
		if took := time.Since(began); took >= linger {
			t.Errorf("%s: the pair ended after %v", kind, took)
		}
	}
}

// TestClientGoesWhileSevered is a client that goes when its target's stream was cut and it has not read all.
func TestClientGoesWhileSevered(t *testing.T) {
	t.Parallel()
	eachAtOnce(t, resetting, func(t *testing.T, kind string) {
		b := kinds[kind](t, nil)
		_ = b.target.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := io.Copy(b.target, endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("writing to a client that does not read: %v, want a time-out", err)
		}
		reset(b.target)
		began := time.Now()
		_ = b.client.Close()
		b.wait(t)
		if took := time.Since(began); took >= linger {
			t.Errorf("the pair ended after %v", took)
		}
	})
}

// TestClientResetWhileItDoesNotRead is a client that goes with bytes on their way to it that it did not take.
func TestClientResetWhileItDoesNotRead(t *testing.T) {
	t.Parallel()
	eachAtOnce(t, resetting, func(t *testing.T, kind string) {
		b := kinds[kind](t, nil)
		_ = b.target.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := io.Copy(b.target, endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("writing to a client that does not read: %v, want a time-out", err)
		}
		reset(b.client)
		if r := b.wait(t); r.ClientErr == nil || r.TargetErr != nil {
			t.Errorf("result %+v, want the client's error alone", r)
		}
	})
}

// TestTargetResetAfterHalfClose is a target that resets instead of the answer that a client waits for.
func TestTargetResetAfterHalfClose(t *testing.T) {
	for _, kind := range resetting {
		b := kinds[kind](t, nil)
		halfClose(t, b.client)
		expectEnd(t, b.target)
		reset(b.target)
		expectReset(t, b.client)
		if r := b.wait(t); !errors.Is(r.TargetErr, syscall.ECONNRESET) || r.ClientErr != nil {
			t.Errorf("%s: result %+v, want the target's reset alone", kind, r)
		}
	}
}
