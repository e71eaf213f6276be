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
)

// leashed carries a connection on a leash.
func leashed(t *testing.T, leash *Leash) *bench {
	t.Helper()
	return startLeashed(t, nil, patient(), leash)
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
			leash := new(Leash)
			b := leashed(t, leash)
			send(t, b.client, "x")
			expect(t, b.target, "x")
			prepare(b)
			leash.Pull()
			if r := b.wait(t); !errors.Is(r.ClientErr, syscall.ECONNABORTED) || r.TargetErr != nil {
				t.Errorf("result %+v, want the client's end alone", r)
			}
			for whose, conn := range map[string]net.Conn{"client": b.client, "target": b.target} {
				if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the %s's connection did not end", whose)
				}
			}
			leash.Pull() // does nothing
		})
	}
}

// TestLeashWhileSeeking pulls before there is a target, and before there is a search.
func TestLeashWhileSeeking(t *testing.T) {
	for name, early := range map[string]bool{"before": true, "meanwhile": false} {
		t.Run(name, func(t *testing.T) {
			client, down, route, _ := seekers(t)
			faulty := &faultyRoute{fakeRoute: route, waker: make(chan Waker, 1)}
			leash := new(Leash)
			if early {
				leash.Pull()
			}
			if taken, err := Go(down, nil, faulty, patient(), leash); !taken || err != nil {
				t.Fatalf("taken %v, %v", taken, err)
			}
			_ = down.Close()
			if <-faulty.waker; !early {
				leash.Pull()
			}
			if err := <-route.lost; !errors.Is(err, ErrClientLeft) {
				t.Errorf("lost for %v", err)
			}
			expectEnd(t, client)
		})
	}
}

// TestLeashRaces pulls while a connection begins or ends, whose descriptor another one has by then.
func TestLeashRaces(t *testing.T) {
	innocent := leashed(t, new(Leash))
	for range 100 {
		leash := new(Leash)
		b := leashed(t, leash)
		var wait sync.WaitGroup
		wait.Go(func() { _ = b.client.Close() })
		wait.Go(leash.Pull)
		b.wait(t)
		other := leashed(t, new(Leash))
		wait.Go(leash.Pull)
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
