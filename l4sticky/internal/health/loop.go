package health

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// A Loop runs a check at an interval.
type Loop struct {
	// Interval is the time from the beginning of a check to that of the next one, give or take a tenth.
	Interval time.Duration

	cancel context.CancelFunc
}

// Start has a function called, for the first time within a tenth of the interval, so that the checks of many targets do not come
// all at once. The context of the call ends with the loop.
func Start(interval time.Duration, check func(context.Context)) *Loop {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Loop{Interval: interval, cancel: cancel}
	go safely.Do("health check", func() { l.run(ctx, check) })
	return l
}

// Close ends the checks. One that is under way is told so by its context, and Close does not wait for it.
func (l *Loop) Close() { l.cancel() }

func (l *Loop) run(ctx context.Context, check func(context.Context)) {
	tenth := l.Interval / 10
	pause := time.NewTimer(rand.N(tenth + 1))
	defer pause.Stop()
	for {
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return
		}
		began := time.Now()
		safely.Do("health check", func() { check(ctx) })
		pause.Reset(l.Interval - tenth + rand.N(2*tenth+1) - time.Since(began))
	}
}
