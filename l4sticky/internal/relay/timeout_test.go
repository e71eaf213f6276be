package relay

import (
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// eachWay runs a test for the loop and the goroutine relay, with times of their own.
func eachWay(t *testing.T, test func(t *testing.T, start func(*Options) *bench)) {
	t.Run("tcp", func(t *testing.T) {
		t.Parallel()
		test(t, func(options *Options) *bench {
			return startRun(t, "tcp", "127.0.0.1:0", nil, options, func(c net.Conn) net.Conn { return c })
		})
	})
	if runtime.GOOS == "linux" {
		t.Run("loop", func(t *testing.T) {
			t.Parallel()
			test(t, func(options *Options) *bench { return startLoop(t, nil, options) })
		})
	}
}

// TestHalfCloseTimeoutBeginsAtTheEnd lets a client that has waited for long end its direction: its target still has
// the whole time to answer.
func TestHalfCloseTimeoutBeginsAtTheEnd(t *testing.T) {
	t.Parallel()
	const limit = 3 * time.Second
	eachWay(t, func(t *testing.T, start func(*Options) *bench) {
		b := start(&Options{Limits: flow.Limits{HalfClose: limit}})
		send(t, b.client, "question")
		expect(t, b.target, "question")
		time.Sleep(limit + limit/10) // what is tested is time itself
		halfClose(t, b.client)
		expectEnd(t, b.target)
		send(t, b.target, "answer")
		expect(t, b.client, "answer")
		began := time.Now()
		b.wait(t)
		if took := time.Since(began); took < limit/2 {
			t.Errorf("the connection ended after %v, want %v of silence", took, limit)
		}
		expectReset(t, b.client)
	})
}

// TestIdleTimeout counts from the last byte, whichever way it went.
func TestIdleTimeout(t *testing.T) {
	t.Parallel()
	const limit = 2 * time.Second
	eachWay(t, func(t *testing.T, start func(*Options) *bench) {
		b := start(&Options{Limits: flow.Limits{Idle: limit}})
		send(t, b.client, "x")
		expect(t, b.target, "x")
		time.Sleep(limit / 2) // what is tested is time itself
		began := time.Now()
		send(t, b.target, "y")
		expect(t, b.client, "y")
		expectReset(t, b.client)
		expectReset(t, b.target)
		if took := time.Since(began); took < limit {
			t.Errorf("the connection ended after %v of silence, want %v", took, limit)
		}
		b.wait(t)
	})
}

// TestSlowReaderIsNotIdle reads steadily, but so slowly that nothing can be written for longer than the limit. Then it
// stops.
func TestSlowReaderIsNotIdle(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("this system does not tell what was acknowledged")
	}
	const limit = time.Second
	for _, way := range []string{"to the client", "to the target"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			eachWay(t, func(t *testing.T, start func(*Options) *bench) {
				b := start(&Options{Limits: flow.Limits{Idle: limit}})
				writer, reader := b.target, b.client
				if way == "to the target" {
					writer, reader = b.client, b.target
				}
				written := make(chan error, 1)
				go func() {
					_, err := io.Copy(writer, endless{})
					written <- err
				}()
				buffer := make([]byte, 64<<10)
				for began := time.Now(); time.Since(began) < 3*limit; time.Sleep(limit / 10) { // what is tested is time itself
					if _, err := io.ReadFull(reader, buffer); err != nil {
						t.Fatalf("a steady reader was cut after %v: %v", time.Since(began), err)
					}
				}
				stopped := time.Now()
				<-written
				if took := time.Since(stopped); took > 5*limit {
					t.Errorf("a reader that has stopped was cut after %v, want %v", took, limit)
				}
				if _, err := io.Copy(io.Discard, reader); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the cut stream ends with %v, want a reset", err)
				}
				b.wait(t)
			})
		})
	}
}
