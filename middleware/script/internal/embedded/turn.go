package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"math"
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

// The state of an engine is the number of its turn times two, plus one while it runs; a turn that was aborted is
// the engine's last.
const aborted = math.MaxUint64

// turn runs f for a client, or for nobody, and what f leaves to be run right after. Without f it asks the script about the
// client. It reports whether the engine may go on.
func (e *engine) turn(client uint32, f func()) (alive bool) {
	e.turns++
	running := e.turns<<1 | 1
	if old := e.state.Load(); old == aborted || !e.state.CompareAndSwap(old, running) {
		return false
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
	if !e.state.CompareAndSwap(running, running-1) {
		return false
	}
	e.owner.Store(0)
	return true
}

func (e *engine) tookAll() error {
	return fmt.Errorf("the script took more than its %d MiB of memory", e.script.Options().MemoryLimit>>20)
}

// runJobs runs what process.nextTick and promises have left to be run, in Node's order, and then reports the rejections
// that nothing handles.
func (e *engine) runJobs() {
	for e.state.Load() != aborted {
		if e.ticking {
			e.ticking = false
			e.call(e.entry["ticks"])
			continue
		}
		if !e.vm.JobPending() {
			if len(e.rejections) == 0 {
				return
			}
			e.reportRejections()
			continue
		}
		working := e.owner.Load()
		if e.tagged {
			if client := e.workingFor(e.vm.NextJob()); client != 0 {
				e.owner.Store(client)
			}
		}
		e.thrown(e.vm.Job())
		e.owner.Store(working)
	}
}

// call calls a function of JavaScript and reports what it throws.
func (e *engine) call(f quickjs.Value, arguments ...any) {
	if e.state.Load() == aborted {
		return
	}
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
	for i, r := range e.rejections {
		if quickjs.Identity(r.promise) == quickjs.Identity(promise) {
			e.rejections = append(e.rejections[:i], e.rejections[i+1:]...)
			e.vm.Free(r.promise)
			e.vm.Free(r.reason)
			return
		}
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
	e.mu.Lock()
	done := running != aborted && e.state.CompareAndSwap(running, aborted)
	if done {
		e.cause = cause
	}
	e.mu.Unlock()
	if !done {
		return false
	}
	guilty := e.owner.Load() // stays, as the event loop does not get past a aborted turn
	e.vm.Interrupt()
	e.cancel()
	e.finishLoading(fmt.Errorf("%s: %w", e.script.Path(), cause))
	e.script.Settle(guilty, cause)
	return true
}

// abortAny ends the engine, whatever it is at.
func (e *engine) abortAny(cause error) {
	for running := e.state.Load(); running != aborted && !e.abort(running, cause); running = e.state.Load() {
	}
}

// watch is the watchdog: it ends a turn that takes too long. It sleeps while the script does.
func (e *engine) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var seen uint64
	var since time.Time
	for idle := 0; ; {
		if idle > 50 {
			ticker.Stop()
			select {
			case <-e.wakeWatchdog:
			case <-e.ended:
				return
			}
			ticker.Reset(watchEvery)
			idle = 0
		}
		select {
		case now := <-ticker.C:
			safely.Do("script watchdog", func() { safely.Reach("script watchdog") })
			running := e.state.Load()
			switch limit := e.script.Limit(e.ready.Load(), e.owner.Load() != 0); {
			case running == aborted:
				e.killLater()
				return
			case running&1 == 0:
				idle++
			case running != seen:
				seen, since, idle = running, now, 0
			case now.Sub(since) >= limit:
				e.abort(running, decide.TookLong(limit))
			}
		case <-e.ended:
			return
		}
	}
}

// killLater ends the event loop by force unless it ends by itself: a built-in function does not notice that it is
// interrupted.
func (e *engine) killLater() {
	select {
	case <-e.ended:
	case <-time.After(killAfter):
		e.vm.Kill()
	}
}
