package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// withAborter carries a connection on a aborter.
func withAborter(t *testing.T, aborter *Aborter) *bench {
	t.Helper()
	return startWithAborter(t, nil, patient(), aborter)
}

// TestLeash pulls at a connection that is at rest, half closed, or stuck in either direction. The client sees the end
// and the target a reset, and the pair ends at once.
func TestLeash(t *testing.T) {
	for name, prepare := range map[string]func(b *bench){
		"at rest": func(*bench) {},
		"half closed by the client": func(b *bench) {
			halfClose(t, b.client)
			expectEnd(t, b.target)
		},
		"half closed by the target": func(b *bench) {
			halfClose(t, b.target)
			expectEnd(t, b.client)
		},
		"stuck upwards": func(b *bench) {
			_ = b.client.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := io.Copy(b.client, endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		},
		"stuck downwards": func(b *bench) {
			_ = b.target.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			if _, err := io.Copy(b.target, endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			aborter := new(Aborter)
			b := withAborter(t, aborter)
			send(t, b.client, "x")
			expect(t, b.target, "x")
			prepare(b)
			aborter.Abort()
			if r := b.wait(t); !errors.Is(r.ClientErr, syscall.ECONNABORTED) || r.TargetErr != nil {
				t.Errorf("result %+v, want the client's end alone", r)
			}
			for whose, conn := range map[string]net.Conn{"client": b.client, "target": b.target} {
				if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the %s's connection did not end", whose)
				}
			}
			aborter.Abort() // does nothing
		})
	}
}

// TestLeashWhileSeeking pulls before there is a target, and before there is a search.
func TestLeashWhileSeeking(t *testing.T) {
	for name, early := range map[string]bool{"before": true, "meanwhile": false} {
		t.Run(name, func(t *testing.T) {
			client, down, picker, _ := seekers(t)
			faulty := &faultyPicker{fakePicker: picker, waker: make(chan search.Waker, 1)}
			aborter := new(Aborter)
			if early {
				aborter.Abort()
			}
			if taken, err := Go(down, nil, 0, faulty, patient(), aborter); !taken || err != nil {
				t.Fatalf("taken %v, %v", taken, err)
			}
			_ = down.Close()
			if <-faulty.waker; !early {
				aborter.Abort()
			}
			if err := <-picker.lost; !errors.Is(err, search.ErrClientLeft) {
				t.Errorf("lost for %v", err)
			}
			expectEnd(t, client)
		})
	}
}

// TestLeashRaces pulls while a connection begins or ends, whose descriptor another one has by then.
func TestLeashRaces(t *testing.T) {
	innocent := withAborter(t, new(Aborter))
	for range 100 {
		aborter := new(Aborter)
		b := withAborter(t, aborter)
		var wait sync.WaitGroup
		wait.Go(func() { _ = b.client.Close() })
		wait.Go(aborter.Abort)
		b.wait(t)
		other := withAborter(t, new(Aborter))
		wait.Go(aborter.Abort)
		wait.Wait()
		send(t, other.client, "x")
		expect(t, other.target, "x")
		_ = other.client.Close()
		_ = other.target.Close()
		other.wait(t)
	}
	send(t, innocent.client, "y")
	expect(t, innocent.target, "y")
}
