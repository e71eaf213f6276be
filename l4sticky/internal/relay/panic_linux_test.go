package relay

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// faultyPicker panics where a test wants it to.
type faultyPicker struct {
	*fakePicker
	waker     chan search.Waker // gets the waker of a search that waits before anything else, if it is not nil
	waited    bool
	connected bool // Connected panics
	next      bool // Next panics when there is no target left
}

func (r *faultyPicker) Next(w search.Waker) (search.Dial, search.Step) {
	if r.waker != nil && !r.waited {
		r.waited = true
		r.waker <- w
		return search.Dial{}, search.AwaitWake
	}
	d, step := r.fakePicker.Next(w)
	if step == search.NoTarget && r.next {
		panic("next")
	}
	return d, step
}

func (r *faultyPicker) Connected(d search.Dial) flow.Established {
	if r.connected {
		panic("connected")
	}
	return r.fakePicker.Connected(d)
}

func mustGo(t *testing.T, down net.Conn, picker search.Picker) {
	t.Helper()
	if taken, err := Go(down, nil, 0, picker, patient(), nil); !taken || err != nil {
		t.Fatalf("taken %v, %v", taken, err)
	}
	_ = down.Close()
}

// TestPanicEndsThePairAtFault panics when a search is woken. The pair that the loop has just served goes on.
func TestPanicEndsThePairAtFault(t *testing.T) {
	client, down, picker, _ := seekers(t)
	faulty := &faultyPicker{fakePicker: picker, waker: make(chan search.Waker, 1), next: true}
	mustGo(t, down, faulty)
	waker := <-faulty.waker
	innocent := kinds["loop"](t, nil)
	send(t, innocent.client, "x")
	expect(t, innocent.target, "x")
	waker.Wake()
	expectEnd(t, client)
	if err := <-picker.lost; err == nil {
		t.Error("the picker is not told")
	}
	send(t, innocent.client, "y")
	expect(t, innocent.target, "y")
}

// TestPanicLeavesNothingOpen panics with a target at hand that has accepted.
func TestPanicLeavesNothingOpen(t *testing.T) {
	for name, faulty := range map[string]faultyPicker{"connected": {connected: true}, "spare": {next: true}} {
		t.Run(name, func(t *testing.T) {
			ln := conntest.Listen(t)
			client, down, picker, _ := seekers(t, at(ln))
			if faulty.fakePicker = picker; faulty.next {
				picker.wants = func(search.Target) bool { return false }
			}
			mustGo(t, down, &faulty)
			target, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			(&bench{}).deadline(target)
			if _, err := io.ReadAll(target); err != nil {
				t.Errorf("the target's connection: %v", err)
			}
			expectEnd(t, client)
			<-picker.lost
			if _, dropped, _ := picker.log(); faulty.next && len(dropped) != 1 {
				t.Errorf("%d dials are dropped, want the spare's", len(dropped))
			}
		})
	}
}

// TestClientResetBeforeDial hands over a client that has gone, for a target that says nothing and waits.
func TestClientResetBeforeDial(t *testing.T) {
	client, down, picker, b := seekers(t)
	ln := conntest.Listen(t)
	picker.targets = []search.Target{at(ln)}
	reset(client)
	mustGo(t, down, picker)
	select {
	case err := <-picker.lost:
		if !errors.Is(err, search.ErrClientLeft) {
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
