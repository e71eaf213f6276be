package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

var errTooMany = errors.New("the script has begun too much at a time that goes on in the background")

// background does work outside of the event loop, with a slot of its kind, and has the event loop tell the script its
// outcome, for the client for whom the work was started. It returns the number that the script knows it by. The work must
// return when its context ends.
func (e *engine) background(slots chan struct{}, work func(context.Context) (any, error)) (any, error) {
	if e.waitingJobs.Add(1) > maxJobs {
		e.waitingJobs.Add(-1)
		return nil, errTooMany
	}
	c, number, preparing := e.owner.Load(), e.timers.number(), !e.ready.Load()
	if preparing {
		e.preparing++
	}
	e.jobs.Go(safely.Func("script background", func() {
		defer e.waitingJobs.Add(-1)
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-e.ctx.Done():
			return
		}
		value, err := e.guardedWork(work)
		e.post(c, func() {
			e.call(e.entry.complete, number, err, value)
			if preparing {
				e.preparing--
				e.prepared()
			}
		})
	}))
	return number, nil
}

func (e *engine) guardedWork(work func(context.Context) (any, error)) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			safely.Count()
			e.script.Log.Log(slog.LevelError, "background work of the script failed", "error", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = safely.ErrPanic
		}
	}()
	return work(e.ctx)
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
