package relay

import (
	"io"
	"net"
	"testing"
)

// faultyRoute panics where a test wants it to.
type faultyRoute struct {
	*fakeRoute
	waker     chan Waker // gets the waker of a search that waits before anything else, if it is not nil
	waited    bool
	connected bool // Connected panics
	next      bool // Next panics when there is no target left
}

func (r *faultyRoute) Next(w Waker) (Dial, Step) {
	if r.waker != nil && !r.waited {
		r.waited = true
		r.waker <- w
		return Dial{}, Waiting
	}
	d, step := r.fakeRoute.Next(w)
	if step == Nothing && r.next {
		panic("next")
	}
	return d, step
}

func (r *faultyRoute) Connected(d Dial) Line {
	if r.connected {
		panic("connected")
	}
	return r.fakeRoute.Connected(d)
}

func mustGo(t *testing.T, down net.Conn, route Route) {
	t.Helper()
	if taken, err := Go(down, nil, route, patient(), nil); !taken || err != nil {
		t.Fatalf("taken %v, %v", taken, err)
	}
	_ = down.Close()
}

// TestPanicEndsThePairAtFault panics when a search is woken. The pair that the loop has just served goes on.
func TestPanicEndsThePairAtFault(t *testing.T) {
	client, down, route, _ := seekers(t)
	faulty := &faultyRoute{fakeRoute: route, waker: make(chan Waker, 1), next: true}
	mustGo(t, down, faulty)
	waker := <-faulty.waker
	innocent := kinds["loop"](t, nil)
	send(t, innocent.client, "x")
	expect(t, innocent.target, "x")
	waker.Wake()
	expectEnd(t, client)
	if err := <-route.lost; err == nil {
		t.Error("the route is not told")
	}
	send(t, innocent.client, "y")
	expect(t, innocent.target, "y")
}

// TestPanicLeavesNothingOpen panics with a target at hand that has accepted.
func TestPanicLeavesNothingOpen(t *testing.T) {
	for name, faulty := range map[string]faultyRoute{"connected": {connected: true}, "spare": {next: true}} {
		t.Run(name, func(t *testing.T) {
			ln := listen(t)
			client, down, route, _ := seekers(t, at(ln))
			if faulty.fakeRoute = route; faulty.next {
				route.agreed = func(Target) bool { return false }
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
			<-route.lost
			if _, dropped, _ := route.log(); faulty.next && len(dropped) != 1 {
				t.Errorf("%d dials are dropped, want the spare's", len(dropped))
			}
		})
	}
}
