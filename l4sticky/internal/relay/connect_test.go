package relay

import (
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// waitingPicker dials one target that does not answer, then has its connection wait once.
type waitingPicker struct {
	*fakePicker
	late   chan struct{}     // gets a value when the picker is asked about the late dial
	waker  chan search.Waker // has room for one
	waited bool
}

func (r *waitingPicker) Next(w search.Waker) (search.Dial, search.Step) {
	if d, step := r.fakePicker.Next(w); step == search.DialTarget {
		return d, step
	}
	if r.waited {
		return search.Dial{}, search.NoTarget
	}
	r.waited = true
	r.waker <- w
	return search.Dial{}, search.AwaitWake
}

func (r *waitingPicker) Late(search.Dial) bool {
	select {
	case r.late <- struct{}{}:
	default:
	}
	return true
}

// TestLateWhileWaiting has a dial become late, time and again, while the search waits for its picker.
func TestLateWhileWaiting(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		slow := slowName{asked: make(chan struct{}), answer: make(chan struct{})}
		_, down, picker, _ := seekers(t, slow)
		waiting := &waitingPicker{fakePicker: picker, late: make(chan struct{}), waker: make(chan search.Waker, 1)}
		find(t, down, waiting, dialTimes(20*time.Second, 10*time.Millisecond))
		for range 5 {
			select {
			case <-waiting.late:
			case <-time.After(10 * time.Second):
				t.Fatal("the picker is not asked about a dial that is late")
			}
		}
		close(slow.answer)
		(<-waiting.waker).Wake()
		<-picker.lost
	})
}
