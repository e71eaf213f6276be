package embedded

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// This file has what calls functions of the script later: timers, the next tick, and what goes on in the background.

// timer is a timer of the script, which js/timers.js knows by its number.
type timer struct {
	at       time.Time
	number   int
	client   uint32 // for whom it was set
	callback quickjs.Value
}

// timers holds the timers of a script.
type timers struct {
	byTime   []*timer // the next one first
	byNumber map[int]*timer
	last     int
}

// number is a new one, for a timer or for what is watched.
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

func (t *timers) add(one *timer) {
	at, _ := t.find(one)
	t.byTime = slices.Insert(t.byTime, at, one)
	t.byNumber[one.number] = one
}

func (t *timers) remove(one *timer) {
	at, _ := t.find(one)
	t.byTime = slices.Delete(t.byTime, at, at+1)
	delete(t.byNumber, one.number)
}

// timerFunctions are what js/timers.js and js/internal/tasks.js call.
func (e *engine) timerFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		// startTimer has a function called after milliseconds, and returns the timer's number, which may be that of one before.
		"startTimer": func(a []any) (any, error) {
			e.stopTimer(a[2])
			delay, _ := a[0].(float64)
			before, _ := a[2].(float64)
			t := &timer{
				at:     time.Now().Add(time.Duration(delay * float64(time.Millisecond))),
				number: cmp.Or(int(before), e.timers.number()),
				client: e.owner.Load(), callback: e.vm.Dup(a[1].(quickjs.Value)),
			}
			e.timers.add(t)
			return t.number, nil
		},
		"stopTimer": does(func(a []any) { e.stopTimer(a[0]) }),
		"tick":      does(func(a []any) { e.ticks = append(e.ticks, e.vm.Dup(a[0].(quickjs.Value))) }),
	}
}

// stopTimer stops a timer that is given by its number, if there is one.
func (e *engine) stopTimer(number any) {
	n, _ := number.(float64)
	if t := e.timers.byNumber[int(n)]; t != nil {
		e.timers.remove(t)
		e.vm.Free(t.callback)
	}
}

// fireTimers runs the timers that are due.
func (e *engine) fireTimers() {
	if len(e.timers.byTime) == 0 {
		return
	}
	now := time.Now()
	for n := len(e.timers.byTime); n > 0 && len(e.timers.byTime) > 0 && !e.timers.byTime[0].at.After(now); n-- {
		t := e.timers.byTime[0]
		e.turn(t.client, func() {
			e.timers.remove(t)
			e.call(t.callback)
			e.vm.Free(t.callback)
		})
	}
}

var errTooMany = errors.New("the script has begun too much at a time that goes on in the background")

// work is what goes on outside of the event loop. It must return when its context ends.
type work func(context.Context) (any, error)

// background does work with a slot of its kind, and has the event loop call a function of JavaScript with its outcome, an error
// and a value, for the client for whom the work was started. The slot is free when that has the outcome: what waits for a script
// that does not come back must not pile up.
func (e *engine) background(slots *semaphore.Weighted, do work, callback any) (any, error) {
	if e.waitingJobs >= maxJobs {
		return nil, errTooMany
	}
	e.waitingJobs++
	client, f := e.owner.Load(), e.vm.Dup(callback.(quickjs.Value))
	e.jobs.Go(safely.Func("script background", func() {
		if slots.Acquire(e.ctx, 1) != nil {
			return
		}
		value, err := any(nil), safely.ErrPanic // unless the work comes to an end
		defer func() {
			e.post(client, func() {
				e.waitingJobs--
				slots.Release(1)
				e.call(f, err, value)
				e.vm.Free(f)
			})
		}()
		value, err = do(e.ctx)
	}))
	return nil, nil
}

// blocking has the script wait for work, unless that takes longer than the script may.
func (e *engine) blocking(do work) (any, error) {
	done := make(chan struct{})
	value, err := any(nil), safely.ErrPanic // unless the work comes to an end
	go safely.Do("script file", func() {
		defer close(done)
		value, err = do(e.ctx)
	})
	select {
	case <-done:
		return value, err
	case <-e.ctx.Done():
		return nil, quickjs.ErrInterrupted
	}
}
