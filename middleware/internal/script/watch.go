package script

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/dlclark/regexp2/v2"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

const (
	// watchEvery is how often the watchdog looks while there is something to see.
	watchEvery = 10 * time.Millisecond
	// patience is how long a stopped event loop may take to end before it is left behind.
	patience = 250 * time.Millisecond
	// freeRuns and freeMemory say how many times RunLimit and MemoryLimit work may take that is nobody's, such as
	// reading a list anew; loadRuns is that of loading, for which nobody waits.
	freeRuns   = 5
	freeMemory = 4
	loadRuns   = 20
	// maxStuck is how many event loops may be left behind before the script is not started anew any more, so
	// that a script cannot take all processors.
	maxStuck = 4
)

func init() {
	// A backtracking regular expression cannot be interrupted. When it times out, goja takes it as no match,
	// which could let a client in: by then the stretch it belongs to must have been condemned, so the timeout is
	// longer than the longest stretch with the default RunLimit, but for loading.
	regexp2.DefaultMatchTimeout = (freeRuns + 1) * time.Second
}

// watchMe wakes the watchdog, which costs next to nothing when it is awake.
func (s *Script) watchMe() {
	select {
	case s.stir <- struct{}{}:
	default:
	}
}

// watch ends what takes too long or too much. It sleeps while the script does.
func (s *Script) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var w watchdog
	for idle := 0; ; {
		if idle > 50 {
			ticker.Stop()
			select {
			case <-s.stir:
			case <-s.stop:
				return
			}
			ticker.Reset(watchEvery)
			idle, w.last = 0, 0
		}
		select {
		case now := <-ticker.C:
			idle++
			safely.Do("script watchdog", func() {
				if w.inspect(s, now) {
					idle = 0
				}
			})
		case <-s.stop:
			return
		}
	}
}

// watchdog is what is remembered of a stretch that was seen running.
type watchdog struct {
	engine  *engine
	running uint64
	since   time.Time
	heap    int64 // when the stretch began
	last    int64 // the heap's size at the last look
}

// inspect looks at the script and reports whether there was something to see.
func (w *watchdog) inspect(s *Script, now time.Time) bool {
	safely.Reach("script watchdog")
	late, more := s.overdue(now)
	for _, d := range late {
		s.leave(d, errNoDecision)
	}
	s.mu.Lock()
	e := s.engine
	s.mu.Unlock()
	if e == nil {
		return more
	}
	running := e.state.Load()
	if running == condemned || running&1 == 0 {
		w.engine, w.last = nil, heapSize()
		return more
	}
	if w.engine != e || w.running != running {
		size := heapSize()
		before := size
		if w.last > 0 {
			before = min(w.last, size) // it may have taken much since it began
		}
		*w = watchdog{engine: e, running: running, since: now, heap: before, last: size}
		return true
	}
	limit, most := s.limits(e)
	if now.Sub(w.since) >= limit {
		e.condemn(running, fmt.Errorf("the script computed for %v without a pause", limit))
	} else if grown := w.grown(most); grown > most {
		e.condemn(running, fmt.Errorf("the script took %d MiB of memory without a pause", grown>>20))
	}
	return true
}

// limits returns how long the stretch that runs may take, and by how much the heap may grow meanwhile.
func (s *Script) limits(e *engine) (time.Duration, int64) {
	s.mu.Lock()
	ready := e.ready
	s.mu.Unlock()
	switch {
	case !ready:
		return s.options.RunLimit * loadRuns, s.options.MemoryLimit * freeMemory
	case e.owner.Load() == nil:
		return s.options.RunLimit * freeRuns, s.options.MemoryLimit * freeMemory
	}
	return s.options.RunLimit, s.options.MemoryLimit
}

// grown returns by how much the heap has grown since the stretch was first seen. Garbage does not count
// against the script: what looks like too much is looked at again after a collection.
func (w *watchdog) grown(limit int64) int64 {
	if grown := heapSize() - w.heap; grown <= limit {
		return grown
	}
	runtime.GC()
	return heapSize() - w.heap
}

// heapSize returns the size of the heap and of the stacks in the whole process: goja counts nothing.
func heapSize() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	metrics.Read(sample)
	return int64(sample[0].Value.Uint64() + sample[1].Value.Uint64())
}

// replace starts a script anew whose engine was condemned, and asks again about all who wait.
func (s *Script) replace(old *engine, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.engine != old {
		return
	}
	if !old.ready {
		return // who loads it learns of it
	}
	s.engine = nil
	s.log.Log(slog.LevelError, "the script was stopped and starts anew", "cause", cause.Error())
	s.workers.Go(safely.Func("script restart", func() { s.restart(old) }))
}

// restart brings a new engine up, trying again for as long as that fails.
func (s *Script) restart(old *engine) {
	s.await(old)
	debug.FreeOSMemory()
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := safely.ErrPanic // unless it comes to an end
		safely.Do("script restart", func() { err = s.renew() })
		if err == nil {
			return
		}
		s.log.Log(slog.LevelError, "the script could not be started anew; all clients are blocked", "error", err.Error())
		for _, d := range s.waiting() {
			s.settle(d, err)
		}
		select {
		case <-time.After(pause):
		case <-s.stop:
			return
		}
	}
}

// await gives a stopped engine time to end, and more of it when too many did not.
func (s *Script) await(old *engine) {
	select {
	case <-old.ended:
		return
	case <-time.After(patience):
	}
	s.mu.Lock()
	s.stuck++
	tooMany := s.stuck > maxStuck
	s.mu.Unlock()
	gone := func() {
		<-old.ended
		s.mu.Lock()
		s.stuck--
		s.mu.Unlock()
	}
	if !tooMany {
		go safely.Do("script end", gone)
		return
	}
	s.log.Log(slog.LevelError, "the script hangs in built-in functions; waiting for one of them to end")
	select {
	case <-old.ended:
	case <-s.stop:
	}
	go safely.Do("script end", gone)
}

// renew loads the script as it was read the last time, and makes it the one that decides.
func (s *Script) renew() error {
	safely.Reach("script restart")
	e := newEngine(s)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		e.cancel()
		return nil
	}
	s.engine = e
	s.down = nil
	s.mu.Unlock()
	s.watchMe()
	if err := e.start(); err != nil {
		err = fmt.Errorf("the script is down: %w", err)
		s.mu.Lock()
		s.engine, s.down = nil, err
		s.mu.Unlock()
		e.shut(err)
		return err
	}
	s.open(e)
	return nil
}
