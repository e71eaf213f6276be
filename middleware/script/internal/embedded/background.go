package embedded

import (
	"context"
	"errors"

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
	client, number := e.owner.Load(), e.timers.number()
	e.jobs.Go(safely.Func("script background", func() {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-e.ctx.Done():
			return
		}
		value, err := e.guarded(work)
		e.post(client, func() {
			e.waitingJobs.Add(-1)
			e.call(e.entry["complete"], number, err, value)
		})
	}))
	return number, nil
}

// guarded does work that may panic.
func (e *engine) guarded(work func(context.Context) (any, error)) (value any, err error) {
	err = safely.ErrPanic // unless the work comes to an end
	safely.Do("script background", func() { value, err = work(e.ctx) })
	return value, err
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
