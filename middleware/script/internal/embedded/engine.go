package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
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

// Runtime starts engines of one script. A script that is started anew is as it was loaded, whatever has become of its files.
type Runtime struct{ sources sync.Map } // the texts of files as they were read last, by path

// NewRuntime returns the runtime of a script.
func NewRuntime() *Runtime { return new(Runtime) }

// engine is one run of a script.
type engine struct {
	script  *decide.Script
	runtime *Runtime
	vm      *quickjs.VM
	limit   int64           // of the memory
	ctx     context.Context // ends when the engine is aborted, with the cause
	cancel  context.CancelCauseFunc
	ended   chan struct{}  // closed when the event loop is over
	jobs    sync.WaitGroup // background work

	// What bounds the background work that goes on at a time: a service that doesn't answer must not keep the script
	// from its files.
	fileSlots, netSlots *semaphore.Weighted
	memory              *semaphore.Weighted // of what is read, before it is the script's

	loaded chan error  // gets the outcome of loading; the first one counts
	ready  atomic.Bool // it was loaded and may decide

	mu           sync.Mutex
	queue        []task // guarded by mu
	wake         chan struct{}
	wakeWatchdog chan struct{} // tells the watchdog that there is something to watch
	state        atomic.Uint64 // of the current turn; see turn.go
	owner        atomic.Uint32 // the client for whom the script is at work, or zero

	// What follows belongs to the event loop.
	spare       []task
	entry       map[string]quickjs.Value // the functions that it calls; see js/internal/main.js
	local       netip.AddrPort           // the local end that the script was told last
	tagged      bool                     // there are promises of clients' middlewares
	ticks       []quickjs.Value          // what process.nextTick has left to be called
	rejections  []rejection
	timers      timers
	waitingJobs int             // background work whose outcome the script does not have yet
	read        map[string]bool // files that this engine has had already
	watched     map[int]func()  // what ends fs.watch, by number
	text        []byte          // a buffer
}

// task is what the event loop is asked to do for a client, or for none if that is zero: to decide, if there is nothing to run.
type task struct {
	client uint32
	run    func()
}

// Start runs the script and returns when its run function is done, or the promise that this returned.
func (r *Runtime) Start(ctx context.Context, s *decide.Script) (decide.Engine, error) {
	e, err := newEngine(r, s, s.Options().MemoryLimit)
	if err != nil {
		return nil, err
	}
	e.post(0, e.load)
	go safely.Do("script", e.loop)
	go safely.Do("script watchdog", e.watch)
	return s.Loaded(ctx, e, e.loaded)
}

func newEngine(r *Runtime, s *decide.Script, limit int64) (*engine, error) {
	e := &engine{
		script: s, runtime: r, limit: limit,
		ended: make(chan struct{}), loaded: make(chan error, 1), wake: make(chan struct{}, 1), wakeWatchdog: make(chan struct{}, 1),
		fileSlots: semaphore.NewWeighted(maxFiles), netSlots: semaphore.NewWeighted(maxNetwork), memory: semaphore.NewWeighted(limit / 2),
		entry: make(map[string]quickjs.Value), read: make(map[string]bool), timers: timers{byNumber: make(map[int]*timer)}, watched: make(map[int]func()),
	}
	var err error
	if e.vm, err = quickjs.New(limit, e); err != nil {
		return nil, err
	}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e, nil
}

// loop is the event loop.
func (e *engine) loop() {
	defer e.end()
	defer quickjs.Recoverable()()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for e.ctx.Err() == nil {
		safely.Reach("script")
		tasks := e.take()
		for i, t := range tasks {
			e.turn(t.client, t.run)
			tasks[i] = task{}
		}
		e.fireTimers()
		if len(tasks) == 0 {
			e.sleep(timer)
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
	decide.Offer(e.wakeWatchdog, struct{}{})
}

// end gives back what the engine has, and has another one started if this one broke.
func (e *engine) end() {
	p := recover()
	if p != nil && e.vm.Exhausted() {
		e.abort(e.state.Load(), e.tookAll())
	} else if p != nil && e.abort(e.state.Load(), fmt.Errorf("the script engine failed: %v", p)) {
		safely.Count()
		e.script.Log.Log(slog.LevelError, "script engine failed", "error", fmt.Sprint(p), "stack", string(debug.Stack()))
	}
	e.cancel(safely.ErrPanic) // unless there is a cause
	e.vm.Close()
	close(e.ended)
}

// take returns the tasks that came since the last call. They are valid until the next one.
func (e *engine) take() []task {
	e.mu.Lock()
	defer e.mu.Unlock()
	tasks := e.queue
	e.queue, e.spare = e.spare[:0], tasks
	return tasks
}

// post has the event loop run something for a client, or for none if that is zero. It is for any goroutine.
func (e *engine) post(client uint32, run func()) {
	e.mu.Lock()
	e.queue = append(e.queue, task{client, run})
	first := len(e.queue) == 1
	e.mu.Unlock()
	if first {
		decide.Offer(e.wake, struct{}{})
	}
}

// Decide has the event loop ask the script about a client.
func (e *engine) Decide(number uint32, _ *decide.Client) { e.post(number, nil) }

// Left tells the script that a client has gone.
func (e *engine) Left(number uint32) {
	e.post(0, func() { e.call(e.entry["left"], int64(number)) })
}

// Done is closed when the event loop of an engine that has failed is over.
func (e *engine) Done() <-chan struct{} { return e.ended }

// Err returns why the engine has failed.
func (e *engine) Err() error { return context.Cause(e.ctx) }

// Shut ends the engine and waits for its end, but not for ever for what the system does not return from.
func (e *engine) Shut(reason error) {
	e.abortAny(reason)
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
