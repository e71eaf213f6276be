package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

const (
	// patience is how long Shut waits for what an engine has begun in the background.
	patience = 250 * time.Millisecond
	// maxFiles and maxNetwork are how much background work of a kind goes on at a time, and maxJobs how much may wait.
	maxFiles, maxNetwork, maxJobs = 64, 1000, 10000
)

// Runtime starts engines of one script.
type Runtime struct{ sources *sources }

// NewRuntime returns the runtime of a script. A script that is started anew is as it was loaded, whatever has become of its files.
func NewRuntime() *Runtime { return &Runtime{sources: newSources()} }

// engine is one run of a script.
type engine struct {
	script  *decide.Script
	sources *sources
	vm      *quickjs.VM
	ctx     context.Context // ends when the engine does
	cancel  context.CancelFunc
	ended   chan struct{}  // closed when the event loop is over
	jobs    sync.WaitGroup // background work

	// What bounds the background work that goes on at a time: a service that doesn't answer must not keep the script
	// from its files.
	fileSlots, netSlots chan struct{}
	memory              *semaphore.Weighted // of what is read, before it is the script's
	waitingJobs         atomic.Int64

	loaded   chan error // gets the outcome of loading
	loadOnce sync.Once
	ready    atomic.Bool // it was loaded and may decide

	mu           sync.Mutex
	queue        []task // guarded by mu
	spare        []task
	wake         chan struct{}
	wakeWatchdog chan struct{}         // tells the watchdog that there is something to watch
	state        atomic.Uint64         // of the current turn; see turn.go
	owner        atomic.Pointer[chain] // whom the script works for right now, if for anybody
	cause        error                 // guarded by mu: why the engine was aborted

	// What follows belongs to the event loop.
	turns      uint64
	entry      entries
	clients    map[int]*chain              // by number: of whom the script may speak
	byDecision map[*decide.Decision]*chain // who waits, or is listened to
	lastClient int
	promises   map[uintptr]*chain // what asynchronous middlewares have returned
	rejections []rejection
	timers     timers
	ticking    bool            // process.nextTick has left something to run
	ran        bool            // run has returned, and its promise is fulfilled
	preparing  int             // background work of loading that goes on
	read       map[string]bool // files that this engine has had already
	watched    map[int]func()  // what ends fs.watch, by number
	emitting   bool
	text       []byte // a buffer
}

// entries are the functions of JavaScript that the event loop calls; see js/internal/main.js.
type entries struct {
	load, decide, closed, complete, ticks, describe, uncaught, exports quickjs.Value
}

// task is what the event loop is asked to do: decide, or run something for a client or for nobody.
type task struct {
	decision *decide.Decision
	client   *chain
	run      func()
}

// Start runs the script and returns when its run function is done, or the promise that this returned.
func (r *Runtime) Start(ctx context.Context, s *decide.Script) (decide.Engine, error) {
	e := newEngine(r, s)
	go safely.Do("script", e.loop)
	loaded, err := s.Loaded(ctx, e, e.loaded, 0)
	e.ready.Store(err == nil)
	return loaded, err
}

func newEngine(r *Runtime, s *decide.Script) *engine {
	e := &engine{
		script: s, sources: r.sources,
		ended: make(chan struct{}), loaded: make(chan error, 1), wake: make(chan struct{}, 1), wakeWatchdog: make(chan struct{}, 1),
		fileSlots: make(chan struct{}, maxFiles), netSlots: make(chan struct{}, maxNetwork),
		clients: make(map[int]*chain), byDecision: make(map[*decide.Decision]*chain), promises: make(map[uintptr]*chain),
		read: make(map[string]bool), timers: timers{byNumber: make(map[int]*timer)}, watched: make(map[int]func()),
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if s != nil {
		e.memory = semaphore.NewWeighted(e.mostRead())
	}
	return e
}

// finishLoading tells Start the outcome; only the first one counts.
func (e *engine) finishLoading(err error) {
	e.loadOnce.Do(func() { e.loaded <- err })
}

// hasRun is called when run is done, and its promise fulfilled. What the script has begun to read meanwhile, such as a
// list of who is blocked, comes first: without it, somebody could come in who must not.
func (e *engine) hasRun() {
	e.ran = true
	if !e.prepared() {
		time.AfterFunc(decide.PrepareLimit, safely.Func("script", func() { e.finishLoading(nil) }))
	}
}

// prepared finishes loading if there is nothing left to wait for, and reports whether there was nothing.
func (e *engine) prepared() bool {
	if !e.ran || e.preparing > 0 {
		return false
	}
	e.finishLoading(nil)
	return true
}

// loop is the event loop.
func (e *engine) loop() {
	defer e.end()
	defer quickjs.Recoverable()()
	vm, err := quickjs.New(e.script.Options().MemoryLimit, e)
	if err != nil {
		e.finishLoading(err)
		return
	}
	e.vm = vm
	go safely.Do("script watchdog", e.watch)
	if !e.turn(nil, e.load) {
		return
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for e.ctx.Err() == nil {
		safely.Reach("script")
		tasks := e.take()
		for i, t := range tasks {
			if !e.perform(t) {
				return
			}
			tasks[i] = task{}
		}
		if !e.fireTimers(time.Now()) {
			return
		}
		if len(tasks) == 0 {
			e.sleep(timer)
			signal(e.wakeWatchdog)
		}
	}
}

// sleep waits for something to do.
func (e *engine) sleep(timer *time.Timer) {
	var due <-chan time.Time
	if len(e.timers.byTime) > 0 { // else it costs too much
		timer.Reset(time.Until(e.timers.byTime[0].at))
		due = timer.C
	}
	select {
	case <-e.wake:
	case <-due:
	case <-e.ctx.Done():
	}
}

// end gives back what the engine has, and has another one started if this one broke.
func (e *engine) end() {
	p := recover()
	if p != nil && e.vm != nil && e.vm.Exhausted() {
		e.abort(e.state.Load(), e.tookAll())
	} else if p != nil && e.abort(e.state.Load(), fmt.Errorf("the script engine failed: %v", p)) {
		safely.Count()
		e.script.Log.Log(slog.LevelError, "script engine failed", "error", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	e.cancel()
	for _, c := range e.clients {
		if c.stop != nil {
			c.stop() // else it would keep the engine in memory
		}
	}
	if e.vm != nil {
		e.vm.Close()
	}
	close(e.ended)
}

func (e *engine) perform(t task) bool {
	if t.run != nil {
		return e.turn(t.client, t.run)
	}
	if !e.script.Pending(t.decision) {
		return true
	}
	e.lastClient++
	c := &chain{decision: t.decision, number: e.lastClient}
	return e.turn(c, nil)
}

// take returns the tasks that came since the last call. They are valid until the next one.
func (e *engine) take() []task {
	e.mu.Lock()
	defer e.mu.Unlock()
	tasks := e.queue
	e.queue, e.spare = e.spare[:0], tasks
	return tasks
}

func (e *engine) enqueue(t task) {
	e.mu.Lock()
	e.queue = append(e.queue, t)
	first := len(e.queue) == 1
	e.mu.Unlock()
	if first {
		signal(e.wake)
	}
}

// post has the event loop run something for a client, or for nobody if that is nil. It is for any goroutine.
func (e *engine) post(c *chain, run func()) {
	if e.ctx.Err() == nil {
		e.enqueue(task{client: c, run: run})
	}
}

// Decide has the event loop ask the script about a client.
func (e *engine) Decide(d *decide.Decision) { e.enqueue(task{decision: d}) }

// Left tells the script that a client does not wait any longer.
func (e *engine) Left(d *decide.Decision) {
	e.post(nil, func() {
		if c := e.byDecision[d]; c != nil {
			e.closeSocket(c)
		}
	})
}

// Done is closed when the event loop of an engine that has failed is over.
func (e *engine) Done() <-chan struct{} { return e.ended }

// Err returns why the engine has failed.
func (e *engine) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cause
}

// Shut ends the engine and waits for its end, but not for ever for what the system does not return from.
func (e *engine) Shut(reason error) {
	e.abortAny(reason)
	e.cancel()
	e.finishLoading(reason)
	over := make(chan struct{})
	go safely.Do("script end", func() {
		defer close(over)
		<-e.ended
		e.jobs.Wait()
	})
	select {
	case <-over:
	case <-time.After(patience + killAfter):
	}
}
