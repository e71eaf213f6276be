package l4sticky

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/listen"
)

func init() {
	caddy.OnExit(func(context.Context) { safely.Do("exit", endAll) })
}

// exitBegan returns the time when the first handler noticed that Caddy exits, from when on grace periods count. From then
// on a further signal ends them.
var exitBegan = sync.OnceValue(func() time.Time {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go safely.Do("exit", func() {
		<-signals
		close(hurry)
	})
	return time.Now()
})

// hurry is closed when Caddy is told once more to exit.
var hurry = make(chan struct{})

// endAll gives the connections of each pool its grace period and then ends what is left of them, with resets. Caddy has
// stopped all apps by then, so that no new connections come. Pools that no config names any more have what their last
// config gave them.
func endAll() {
	began := exitBegan()
	var wait sync.WaitGroup
	pools.Range(func(_, value any) bool {
		p := value.(*pool)
		wait.Go(safely.Func("exit", func() {
			p.end(began)
		}))
		return true
	})
	wait.Wait()
	partings.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), lastKeptWait)
	defer cancel()
	lastWrites.awaitAll(ctx)
}

// awaitSettled waits, if Caddy exits, until the connections that listeners have accepted have got to a handler that
// takes them over, or are closed: a middleware may take its time to decide. It waits no longer than the grace period.
func awaitSettled(grace time.Duration) {
	if !caddy.Exiting() {
		return
	}
	for deadline := exitBegan().Add(grace); listen.Unsettled() > 0 && time.Now().Before(deadline); {
		select {
		case <-hurry:
			return
		case <-time.After(settlePause):
		}
	}
}

// settlePause is how often awaitSettled looks.
const settlePause = 2 * time.Millisecond
