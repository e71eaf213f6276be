package embedded

import (
	"container/heap"
	"math"
	"time"

	"github.com/dop251/goja"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// timer is a timer of the script.
type timer struct {
	at    time.Time
	order uint64 // among those of the same time
	every time.Duration
	owner *decide.Decision // for whom it was set
	f     goja.Callable
	args  []goja.Value
	index int // in the heap, or -1
}

// timers holds the timers of a script, the next one first.
type timers struct {
	heap  timerHeap
	byID  map[int64]*timer
	count int64
}

type timerHeap []*timer

func (h timerHeap) Len() int { return len(h) }
func (h timerHeap) Less(i, j int) bool {
	if h[i].at.Equal(h[j].at) {
		return h[i].order < h[j].order
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

// startTimer is what setTimeout and setInterval call: startTimer(milliseconds, repeat, callback, arguments).
func (e *engine) startTimer(call goja.FunctionCall) goja.Value {
	f, ok := goja.AssertFunction(call.Argument(2))
	if !ok {
		panic(e.vm.NewTypeError("The \"callback\" argument must be of type function."))
	}
	delay := milliseconds(call.Argument(0))
	t := &timer{owner: e.owner.Load(), f: f}
	e.vm.ForOf(call.Argument(3), func(v goja.Value) bool {
		t.args = append(t.args, v)
		return true
	})
	if call.Argument(1).ToBoolean() {
		t.every = delay
	}
	if e.timers.byID == nil {
		e.timers.byID = make(map[int64]*timer)
	}
	e.timers.count++
	e.timers.byID[e.timers.count] = t
	e.schedule(t, delay)
	id := e.timers.count
	t.order = uint64(id)
	return e.vm.ToValue(id)
}

// stopTimer is what clearTimeout and clearInterval call with the timer's number.
func (e *engine) stopTimer(call goja.FunctionCall) goja.Value {
	id := call.Argument(0).ToInteger()
	if t := e.timers.byID[id]; t != nil {
		delete(e.timers.byID, id)
		if t.index >= 0 {
			heap.Remove(&e.timers.heap, t.index)
		}
	}
	return goja.Undefined()
}

func (e *engine) schedule(t *timer, delay time.Duration) {
	t.at = time.Now().Add(delay)
	heap.Push(&e.timers.heap, t)
}

// milliseconds is Node's reading of a delay: at least one, and one if it is out of range.
func milliseconds(v goja.Value) time.Duration {
	ms := v.ToFloat()
	if !(ms >= 1 && ms <= math.MaxInt32) {
		ms = 1
	}
	return time.Duration(ms * float64(time.Millisecond))
}

// fireTimers runs the timers that are due and reports whether the engine may go on.
func (e *engine) fireTimers(now time.Time) bool {
	for n := len(e.timers.heap); n > 0 && len(e.timers.heap) > 0; n-- {
		t := e.timers.heap[0]
		if t.at.After(now) {
			break
		}
		heap.Pop(&e.timers.heap)
		if !e.stretch(t.owner, func() { e.fire(t) }) {
			return false
		}
	}
	return true
}

func (e *engine) fire(t *timer) {
	if t.every > 0 {
		e.schedule(t, t.every) // so that the callback can stop it
	} else {
		delete(e.timers.byID, int64(t.order))
	}
	e.call(t.f, goja.Undefined(), t.args...)
}

func (e *engine) untilNextTimer() time.Duration {
	if len(e.timers.heap) == 0 {
		return time.Hour
	}
	return max(0, time.Until(e.timers.heap[0].at))
}

// tick is a callback of process.nextTick.
type tick struct {
	f    goja.Callable
	args []goja.Value
}

func (e *engine) nextTick(call goja.FunctionCall) goja.Value {
	f, ok := goja.AssertFunction(call.Argument(0))
	if !ok {
		panic(e.vm.NewTypeError("The \"callback\" argument must be of type function."))
	}
	e.ticks = append(e.ticks, tick{f: f, args: append([]goja.Value(nil), call.Arguments[1:]...)})
	return goja.Undefined()
}

// runTicks runs what process.nextTick was given, for the same client.
func (e *engine) runTicks() {
	for len(e.ticks) > 0 && e.state.Load() != condemned {
		ticks := e.ticks
		e.ticks = nil
		for _, t := range ticks {
			e.call(t.f, goja.Undefined(), t.args...)
		}
	}
}
