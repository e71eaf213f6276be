package relay

import (
	"testing"
	"time"
)

// waitingRoute dials one target that does not answer, then has its connection wait once.
type waitingRoute struct {
	*fakeRoute
	late   chan struct{} // gets a value when the route is asked about the late dial
	waker  chan Waker    // has room for one
	waited bool
}

func (r *waitingRoute) Next(w Waker) (Dial, Step) {
	if d, step := r.fakeRoute.Next(w); step == Dialling {
		return d, step
	}
	if r.waited {
		return Dial{}, Nothing
	}
	r.waited = true
	r.waker <- w
	return Dial{}, Waiting
}

func (r *waitingRoute) Late(Dial) bool {
	select {
	case r.late <- struct{}{}:
	default:
	}
	return true
}

// TestLateWhileWaiting has a dial become late, time and again, while the search waits for its route.
func TestLateWhileWaiting(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		slow := slowName{asked: make(chan struct{}), answer: make(chan struct{})}
		_, down, route, _ := seekers(t, slow)
		waiting := &waitingRoute{fakeRoute: route, late: make(chan struct{}), waker: make(chan Waker, 1)}
		find(t, down, waiting, &Options{DialTimeout: 20 * time.Second, Late: 10 * time.Millisecond})
		for range 5 {
			select {
			case <-waiting.late:
			case <-time.After(10 * time.Second):
				t.Fatal("the route is not asked about a dial that is late")
			}
		}
		close(slow.answer)
		(<-waiting.waker).Wake()
		<-route.lost
	})
}
