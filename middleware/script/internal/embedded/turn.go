package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

const (
	// watchEvery is how often the watchdog looks while there is something to see.
	watchEvery = 10 * time.Millisecond
	// killAfter is how long a turn that was aborted may take to end by itself.
	killAfter = 50 * time.Millisecond
)

// The state of an engine is how often a turn has begun or ended, which is odd while one runs. A turn that was aborted is the
// engine's last.
const aborted = math.MaxUint64

// turn runs f for a client, or for nobody, and what f leaves to be run right after. Without f it asks the script about the
// client. It does nothing if the engine was aborted.
func (e *engine) turn(client uint32, f func()) {
	idle := e.state.Load()
	running := idle + 1
	if idle == aborted || !e.state.CompareAndSwap(idle, running) {
		return
	}
	e.owner.Store(client)
	if f != nil {
		f()
	} else {
		e.decide(client)
	}
	e.runJobs()
	if e.vm.Exhausted() {
		e.abort(running, e.tookAll())
	}
	if e.state.CompareAndSwap(running, running+1) {
		e.owner.Store(0)
	}
}

func (e *engine) tookAll() error {
	return fmt.Errorf("the script took more than its %d MiB of memory", e.limit>>20)
}

// runJobs runs what process.nextTick and promises have left to be run, in Node's order, and then reports the rejections
// that nothing handles.
func (e *engine) runJobs() {
	for e.state.Load() != aborted {
		switch {
		case len(e.ticks) > 0:
			callback := e.ticks[0]
			e.ticks = e.ticks[1:]
			e.call(callback)
			e.vm.Free(callback)
		case e.vm.JobPending():
			e.runJob()
		case len(e.rejections) > 0:
			e.reportRejections()
		default:
			return
		}
	}
}

// runJob runs what promises have left to be run next, for the client whose middleware waits for that, if it does.
func (e *engine) runJob() {
	working := e.owner.Load()
	if e.tagged {
		e.owner.Store(cmp.Or(e.workingFor(e.vm.NextJob()), working))
	}
	e.thrown(e.vm.Job())
	e.owner.Store(working)
}

// call calls a function of JavaScript, which may give itself up, and reports what it throws.
func (e *engine) call(f quickjs.Value, arguments ...any) {
	if e.state.Load() == aborted {
		return
	}
	f = e.vm.Dup(f)
	defer e.vm.Free(f)
	v, err := e.vm.Call(f, arguments...)
	if err != nil {
		e.thrown(err)
		return
	}
	e.vm.Free(v)
}

// thrown deals with what a call has thrown, if it has. What was interrupted ends the engine, and the reason is known.
func (e *engine) thrown(err error) {
	var exception *quickjs.Exception
	if errors.As(err, &exception) {
		e.uncaught(exception.Value, "uncaughtException")
	} else if err != nil && !errors.Is(err, quickjs.ErrInterrupted) {
		e.script.Failed(e.owner.Load(), err, "")
	}
}

// uncaught has the script's host deal with a value that was thrown and that nothing in the script caught, and frees it.
func (e *engine) uncaught(value quickjs.Value, event string) {
	defer e.vm.Free(value)
	v, err := e.vm.Call(e.entry["failed"], value, event)
	e.vm.Free(v)
	if exception := (*quickjs.Exception)(nil); errors.As(err, &exception) {
		e.vm.Free(exception.Value)
		e.script.Failed(e.owner.Load(), errors.New("an error that cannot be told"), "")
	}
}

// rejection is a promise that was rejected and that nothing handles so far.
type rejection struct {
	promise, reason quickjs.Value
	client          uint32
}

// Rejected notes a rejection that nothing handles, until something does.
func (e *engine) Rejected(promise, reason quickjs.Value, handled bool) {
	if !handled {
		client := cmp.Or(e.workingFor(promise), e.owner.Load())
		e.rejections = append(e.rejections, rejection{e.vm.Dup(promise), e.vm.Dup(reason), client})
		return
	}
	same := func(r rejection) bool { return quickjs.Identity(r.promise) == quickjs.Identity(promise) }
	if i := slices.IndexFunc(e.rejections, same); i >= 0 {
		e.vm.Free(e.rejections[i].promise)
		e.vm.Free(e.rejections[i].reason)
		e.rejections = slices.Delete(e.rejections, i, i+1)
	}
}

// reportRejections keeps out the clients for whom a promise was rejected that nothing handles.
func (e *engine) reportRejections() {
	rejections := e.rejections
	e.rejections = nil
	working := e.owner.Load()
	for _, r := range rejections {
		e.vm.Free(r.promise)
		e.owner.Store(r.client)
		e.uncaught(r.reason, "unhandledRejection")
	}
	e.owner.Store(working)
}

// abort ends the engine because of the turn that is given by its state, if that still runs. It is for any goroutine.
func (e *engine) abort(running uint64, cause error) bool {
	if running == aborted || !e.state.CompareAndSwap(running, aborted) {
		return false
	}
	guilty := e.owner.Load() // stays, as the event loop does not get past an aborted turn
	e.vm.Interrupt()
	time.AfterFunc(killAfter, safely.Func("script watchdog", e.vm.Kill)) // a built-in function does not notice that it is interrupted
	e.cancel(cause)
	decide.Offer(e.loaded, fmt.Errorf("%s: %w", e.script.Path(), cause))
	e.script.Settle(guilty, cause)
	return true
}

// abortAny ends the engine, whatever it is at.
func (e *engine) abortAny(cause error) {
	for running := e.state.Load(); running != aborted && !e.abort(running, cause); running = e.state.Load() {
	}
}

// watch is the watchdog, which goes on after a panic.
func (e *engine) watch() { safely.Do("script watchdog", e.endLongTurns, e.watch) }

// endLongTurns ends a turn that takes too long. It sleeps while the script does.
func (e *engine) endLongTurns() {
	var seen uint64
	var since time.Time
	for idle := 0; ; {
		next, awake := time.After(watchEvery), (<-chan struct{})(nil)
		if idle > 50 {
			next, awake = nil, e.wakeWatchdog
		}
		select {
		case <-next:
		case <-awake:
			idle = 0
		case <-e.ended:
			return
		}
		safely.Reach("script watchdog")
		running := e.state.Load()
		switch limit := e.script.Limit(e.ready.Load(), e.owner.Load() != 0); {
		case running&1 == 0:
			idle++
		case running != seen:
			seen, since, idle = running, time.Now(), 0
		case time.Since(since) >= limit:
			e.abort(running, decide.TookLong(limit))
		}
	}
}
