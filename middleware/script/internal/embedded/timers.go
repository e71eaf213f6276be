package embedded

import (
	"cmp"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// timer is a timer of the script, which js/timers.js knows by its number.
type timer struct {
	at     time.Time
	number int
	every  time.Duration
	client uint32 // for whom it was set
}

// timers holds the timers of a script.
type timers struct {
	byTime   []*timer // the next one first
	byNumber map[int]*timer
	last     int
}

// number is a new one, for a timer or for what goes on in the background.
func (t *timers) number() int {
	t.last++
	return t.last
}

// find returns where a timer is, or has to be. Of those that are due at a time, the one that was set first comes first.
func (t *timers) find(wanted *timer) (int, bool) {
	return slices.BinarySearchFunc(t.byTime, wanted, func(a, b *timer) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.number, b.number))
	})
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
			e.timers.byNumber[t.number] = t
			e.schedule(t, delay)
			return t.number, nil
		},
		"stopTimer": does(func(a []any) {
			number, _ := a[0].(float64)
			if t := e.timers.byNumber[int(number)]; t != nil {
				delete(e.timers.byNumber, t.number)
				if at, found := e.timers.find(t); found {
					e.timers.byTime = slices.Delete(e.timers.byTime, at, at+1)
				}
			}
		}),
		"tick": does(func([]any) { e.ticking = true }),
	}
}

func (e *engine) schedule(t *timer, delay time.Duration) {
	t.at = time.Now().Add(delay)
	at, _ := e.timers.find(t)
	e.timers.byTime = slices.Insert(e.timers.byTime, at, t)
}

// fireTimers runs the timers that are due and reports whether the engine may go on.
func (e *engine) fireTimers(now time.Time) bool {
	for n := len(e.timers.byTime); n > 0 && len(e.timers.byTime) > 0; n-- {
		t := e.timers.byTime[0]
		if t.at.After(now) {
			break
		}
		e.timers.byTime = slices.Delete(e.timers.byTime, 0, 1)
		if t.every > 0 {
			e.schedule(t, t.every) // so that the callback can stop it
		} else {
			delete(e.timers.byNumber, t.number)
		}
		if !e.turn(t.client, func() { e.call(e.entry["complete"], t.number) }) {
			return false
		}
	}
	return true
}
