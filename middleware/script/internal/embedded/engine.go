package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// maxCallDepth bounds recursion. Calls that go through built-in functions count twice and take Go stack;
// unwinding them costs the square of their number, which this keeps well below RunLimit.
const maxCallDepth = 2000

// maxFiles and maxNetwork are how much background work goes on at a time.
const (
	maxFiles   = 64
	maxNetwork = 2000
)

// prepareLimit is how long a script, once it has run, may take for what it has begun to read.
const prepareLimit = 5 * time.Second

// engine is one run of a script: a JavaScript runtime and the goroutine that owns it. goja_nodejs has an
// event loop as well; this one is for what that cannot tell: which client a failing callback belongs
// to, and that it failed at all.
type engine struct {
	runtime *Runtime
	script  *decide.Script
	vm      *goja.Runtime
	ctx     context.Context // ends when the engine does
	cancel  context.CancelFunc
	ended   chan struct{}  // closed when the event loop is over
	jobs    sync.WaitGroup // background work

	// What bounds the background work that goes on at a time: a service that doesn't answer must not keep the script
	// from its files.
	fileSlots, netSlots chan struct{}

	files descriptors

	loaded   chan error // gets the outcome of loading
	loadOnce sync.Once

	ready  atomic.Bool   // it was loaded and may decide
	failed chan struct{} // closed when the engine was condemned
	cause  error         // why it was, once failed is closed
	stir   chan struct{} // tells the watchdog that there is something to watch

	mu    sync.Mutex
	queue []task // guarded by mu
	wake  chan struct{}
	spare []task

	state atomic.Uint64                   // of the current stretch; see stretch.go
	owner atomic.Pointer[decide.Decision] // whom the script works for right now, if for anybody

	// What follows belongs to the event loop.
	stretches   uint64
	charged     float64          // bytes that big allocations have taken in this stretch
	working     *decide.Decision // whom the current stretch is for
	timers      timers
	ticks       []tick
	rejections  map[*goja.Promise]*decide.Decision
	middlewares []goja.Callable
	watched     map[*chain]func() // clients who were let in and are listened to; stops waiting for their end
	modules     *modules
	socketProto *goja.Object
	ran         bool // run has returned, and its promise is fulfilled
	preparing   int  // background work of loading that goes on
	local       localEnd
	balancer    *goja.Object
	process     *goja.Object
	emitting    bool
}

// task is what the event loop is asked to do: decide, or run something for a decision or for nobody.
type task struct {
	decision *decide.Decision
	run      func()
}

func newEngine(r *Runtime, s *decide.Script) *engine {
	ctx, cancel := context.WithCancel(context.Background())
	return &engine{
		runtime:    r,
		script:     s,
		failed:     make(chan struct{}),
		stir:       make(chan struct{}, 1),
		ctx:        ctx,
		cancel:     cancel,
		ended:      make(chan struct{}),
		fileSlots:  make(chan struct{}, maxFiles),
		netSlots:   make(chan struct{}, maxNetwork),
		loaded:     make(chan error, 1),
		wake:       make(chan struct{}, 1),
		vm:         goja.New(),
		rejections: make(map[*goja.Promise]*decide.Decision),
		watched:    make(map[*chain]func()),
	}
}

// start runs the script and returns when its run function is done, or the promise that this returned.
func (e *engine) start() error {
	go safely.Do("script watchdog", e.watch)
	go safely.Do("script", e.loop, func() { e.condemn(e.state.Load(), safely.ErrPanic) })
	limit := time.NewTimer(decide.LoadRuns * e.script.Options().RunLimit * 5 / 4)
	defer limit.Stop()
	select {
	case err := <-e.loaded:
		return err
	case <-limit.C:
		return fmt.Errorf("%s: run did not finish in time", e.script.Path())
	}
}

// hasRun is called when run is done, and its promise fulfilled. What the script has begun to read meanwhile, such as a
// list of who is blocked, comes first: without it, somebody could come in who must not.
func (e *engine) hasRun() {
	e.ran = true
	if !e.prepared() {
		time.AfterFunc(prepareLimit, safely.Func("script", func() { e.finishLoading(nil) }))
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

// finishLoading tells start the outcome; only the first one counts.
func (e *engine) finishLoading(err error) {
	e.loadOnce.Do(func() {
		e.ready.Store(err == nil)
		e.loaded <- err
	})
}

// loop is the event loop.
func (e *engine) loop() {
	defer close(e.ended)
	defer e.files.closeAll()
	defer e.cancel()
	defer e.forgetGuests()
	if !e.stretch(nil, e.load) {
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
			timer.Reset(e.untilNextTimer())
			select {
			case <-e.wake:
			case <-timer.C:
			case <-e.ctx.Done():
			}
			e.watchMe()
		}
	}
}

// forgetGuests lets go of clients, who would keep the whole engine in memory.
func (e *engine) forgetGuests() {
	for _, stop := range e.watched {
		stop()
	}
}

func (e *engine) perform(t task) bool {
	if t.run != nil {
		return e.stretch(t.decision, t.run)
	}
	return e.stretch(t.decision, func() { e.decide(t.decision) })
}

// take returns the tasks that came since the last call. They are valid until the next one.
func (e *engine) take() []task {
	e.mu.Lock()
	defer e.mu.Unlock()
	tasks := e.queue
	e.queue, e.spare = e.spare[:0], tasks
	return tasks
}

// enqueue is for any goroutine.
func (e *engine) enqueue(t task) {
	if e.ctx.Err() != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = append(e.queue, t)
	if len(e.queue) == 1 {
		select {
		case e.wake <- struct{}{}:
		default:
		}
	}
}

// post has the event loop run something for a decision, or for nobody if that is nil. It is for any goroutine.
func (e *engine) post(d *decide.Decision, run func()) {
	e.enqueue(task{decision: d, run: run})
}

// background does work outside of the event loop, with a slot of its kind, and has the event loop run what it returns,
// for the client for whom the work was started. The work must return when its context ends.
func (e *engine) background(slots chan struct{}, work func(context.Context) func()) {
	d := e.owner.Load()
	preparing := !e.ready.Load()
	if preparing {
		e.preparing++
	}
	e.jobs.Go(safely.Func("script background", func() {
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-e.ctx.Done():
			return
		}
		done := e.guardedWork(work)
		if e.ctx.Err() != nil || done == nil && !preparing {
			return
		}
		e.post(d, func() {
			if done != nil {
				done()
			}
			if preparing {
				e.preparing--
				e.prepared()
			}
		})
	}))
}

func (e *engine) guardedWork(work func(context.Context) func()) (done func()) {
	defer func() {
		if p := recover(); p != nil {
			safely.Count()
			e.script.Log.Log(slog.LevelError, "background work of the script failed", "error", fmt.Sprint(p), "stack", string(debug.Stack()))
		}
	}()
	return work(e.ctx)
}
