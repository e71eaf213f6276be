package embedded

import (
	"container/heap"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// timer is a timer of the script, which js/timers.js knows by its number.
type timer struct {
	at     time.Time
	number int
	every  time.Duration
	client *chain // for whom it was set
	index  int    // in the heap, or -1
}

// timers holds the timers of a script, the next one first.
type timers struct {
	heap     timerHeap
	byNumber map[int]*timer
	last     int
}

// number is a new one, for a timer or for what goes on in the background.
func (t *timers) number() int {
	t.last++
	return t.last
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].number < h[j].number
	}
	return h[i].at.Before(h[j].at)
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}

// timerFunctions are what js/timers.js calls.
func (e *engine) timerFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"startTimer": func(a []any) (any, error) {
			t := &timer{number: e.timers.number(), client: e.owner.Load()}
			ms, _ := a[0].(float64)
			delay := time.Duration(ms * float64(time.Millisecond))
			if a[1] == true {
				t.every = delay
			}
			if e.timers.byNumber == nil {
				e.timers.byNumber = make(map[int]*timer)
			}
			e.timers.byNumber[t.number] = t
			e.schedule(t, delay)
			return t.number, nil
		},
		"stopTimer": func(a []any) (any, error) {
			number, _ := a[0].(float64)
			if t := e.timers.byNumber[int(number)]; t != nil {
				delete(e.timers.byNumber, t.number)
				if t.index >= 0 {
					heap.Remove(&e.timers.heap, t.index)
				}
			}
			return nil, nil
		},
		"immediate": func([]any) (any, error) {
			number := e.timers.number()
			e.post(e.owner.Load(), func() { e.call(e.entry.complete, number) })
			return number, nil
		},
		"tick": func([]any) (any, error) {
			e.ticking = true
			return nil, nil
		},
	}
}

func (e *engine) schedule(t *timer, delay time.Duration) {
	t.at = time.Now().Add(delay)
	heap.Push(&e.timers.heap, t)
}

// fireTimers runs the timers that are due and reports whether the engine may go on.
func (e *engine) fireTimers(now time.Time) bool {
	for n := len(e.timers.heap); n > 0 && len(e.timers.heap) > 0; n-- {
		t := e.timers.heap[0]
		if t.at.After(now) {
			break
		}
		heap.Pop(&e.timers.heap)
		if t.every > 0 {
			e.schedule(t, t.every) // so that the callback can stop it
		} else {
			delete(e.timers.byNumber, t.number)
		}
		if !e.stretch(t.client, func() { e.call(e.entry.complete, t.number) }) {
			return false
		}
	}
	return true
}

func (e *engine) untilNextTimer() time.Duration {
	if len(e.timers.heap) == 0 {
		return time.Hour
	}
	return max(0, time.Until(e.timers.heap[0].at))
}
