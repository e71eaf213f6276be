package l4sticky

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

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
		wait.Go(safely.Func("exit", func() { p.end(began) }))
		return true
	})
	wait.Wait()
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

// end is endAll for one pool.
func (p *pool) end(began time.Time) {
	safely.Reach("exit")
	open := p.open.Load()
	if open == 0 {
		return
	}
	p.mu.Lock()
	grace := p.grace
	p.mu.Unlock()
	logger := caddy.Log().Named("layer4.sticky").With(zap.String("pool", p.name), zap.Duration("grace_period", grace))
	if grace > 0 {
		logger.Info("waiting for open connections", zap.Int64("connections", open))
		p.awaitEmpty(began.Add(grace))
	}
	if open = p.open.Load(); open == 0 {
		return
	}
	logger.Warn("cutting open connections", zap.Int64("connections", open))
	p.endConnections(errExit, 0, func(*holding) bool { return true })
	p.awaitEmpty(time.Now().Add(endTime)) // goroutines tell the log of the end of what they carry
}

// endTime is how long connections may take to end that were cut.
const endTime = time.Second

// errExit is why connections end that are left when Caddy exits.
var errExit = errors.New("the process exits")

// awaitEmpty returns when no connection holds the pool, at the deadline, or when Caddy is told once more to exit. One
// may wait at a time.
func (p *pool) awaitEmpty(deadline time.Time) {
	timeout := time.NewTimer(time.Until(deadline))
	defer timeout.Stop()
	for p.open.Load() > 0 {
		select {
		case <-p.emptied:
		case <-timeout.C:
			return
		case <-hurry:
			return
		}
	}
}
