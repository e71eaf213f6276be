package embedded

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// Runtime runs scripts in this process.
type Runtime struct {
	sources *sources

	mu    sync.Mutex
	stuck int // event loops that were stopped and did not end yet
}

// NewRuntime returns a runtime for one script. A script that is started anew is as it was loaded, whatever has become of its
// files.
func NewRuntime() *Runtime { return &Runtime{sources: newSources()} }

// Start runs the script and calls its module.exports.run.
func (r *Runtime) Start(ctx context.Context, s *decide.Script) (decide.Engine, error) {
	if !r.room(ctx, s) {
		return nil, context.Cause(ctx)
	}
	e := newEngine(r, s)
	stop := context.AfterFunc(ctx, safely.Func("script", func() { e.condemn(e.state.Load(), context.Cause(ctx)) }))
	defer stop()
	if err := e.start(); err != nil {
		e.Shut(err)
		return nil, err
	}
	return e, nil
}

// room waits while too many event loops hang in built-in functions, so that a script cannot take all processors.
func (r *Runtime) room(ctx context.Context, s *decide.Script) bool {
	for warned := false; ; warned = true {
		r.mu.Lock()
		free := r.stuck <= maxStuck
		r.mu.Unlock()
		if free {
			return true
		}
		if !warned {
			s.Log.Log(slog.LevelError, "the script hangs in built-in functions; waiting for one of them to end")
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(watchEvery):
		}
	}
}

// leaveBehind counts an engine that does not end until it does.
func (r *Runtime) leaveBehind(e *engine) {
	r.mu.Lock()
	r.stuck++
	r.mu.Unlock()
	go safely.Do("script end", func() {
		<-e.ended
		r.mu.Lock()
		r.stuck--
		r.mu.Unlock()
	})
}

// Decide asks the script about a client.
func (e *engine) Decide(d *decide.Decision) { e.enqueue(task{decision: d}) }

// Left tells the script that a client has gone.
func (e *engine) Left(d *decide.Decision) { e.enqueue(task{run: func() { e.closeSocket(d) }}) }

// Done is closed when the engine was condemned.
func (e *engine) Done() <-chan struct{} { return e.failed }

// Err returns why it was condemned.
func (e *engine) Err() error {
	<-e.failed
	return e.cause
}

// Shut ends the engine and waits for it. An engine that does not end, because a built-in function or its work in
// the background does not return, is left behind.
func (e *engine) Shut(reason error) {
	e.state.Store(condemned) // no failure any more
	e.cancel()
	e.vm.Interrupt(reason)
	e.finishLoading(reason)
	over := make(chan struct{})
	go safely.Do("script end", func() {
		defer close(over)
		<-e.ended
		e.jobs.Wait()
	})
	select {
	case <-over:
	case <-time.After(patience):
		e.runtime.leaveBehind(e)
	}
	debug.FreeOSMemory()
}
