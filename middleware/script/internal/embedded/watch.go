package embedded

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/dlclark/regexp2/v2"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

const (
	// watchEvery is how often the watchdog looks while there is something to see.
	watchEvery = 10 * time.Millisecond
	// patience is how long a stopped event loop may take to end before it is left behind.
	patience = 250 * time.Millisecond
	// freeMemory says how many times the MemoryLimit the heap may grow by work that is done for no client, and by loading.
	freeMemory = 4
	// maxStuck is how many event loops may be left behind before the script is not started anew any more, so
	// that a script cannot take all processors.
	maxStuck = 4
)

func init() {
	// A backtracking regular expression cannot be interrupted. When it times out, goja takes it as no match,
	// which could let a client in: by then the stretch it belongs to must have been condemned, so the timeout is
	// longer than the longest stretch with the default RunLimit, but for loading.
	regexp2.DefaultMatchTimeout = (decide.FreeRuns + 1) * time.Second
}

// watchMe wakes the watchdog, which costs next to nothing when it is awake.
func (e *engine) watchMe() {
	select {
	case e.stir <- struct{}{}:
	default:
	}
}

// watch ends what takes too long or too much. It sleeps while the script does.
func (e *engine) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	var w watchdog
	for idle := 0; ; {
		if idle > 50 {
			ticker.Stop()
			select {
			case <-e.stir:
			case <-e.ctx.Done():
				return
			}
			ticker.Reset(watchEvery)
			idle, w.last = 0, 0
		}
		select {
		case now := <-ticker.C:
			idle++
			safely.Do("script watchdog", func() {
				if w.inspect(e, now) {
					idle = 0
				}
			})
		case <-e.ctx.Done():
			return
		}
	}
}

// watchdog is what is remembered of a stretch that was seen running.
type watchdog struct {
	running uint64
	since   time.Time
	heap    int64 // when the stretch began
	last    int64 // the heap's size at the last look
}

// inspect looks at the engine and reports whether there was something to see.
func (w *watchdog) inspect(e *engine, now time.Time) bool {
	safely.Reach("script watchdog")
	running := e.state.Load()
	if running == condemned || running&1 == 0 {
		w.running, w.last = 0, heapSize()
		return false
	}
	if w.running != running {
		size := heapSize()
		before := size
		if w.last > 0 {
			before = min(w.last, size) // it may have taken much since it began
		}
		*w = watchdog{running: running, since: now, heap: before, last: size}
		return true
	}
	limit, most := e.limits()
	if now.Sub(w.since) >= limit {
		e.condemn(running, fmt.Errorf("the script computed for %v without a pause", limit))
	} else if grown := w.grown(most); grown > most {
		e.condemn(running, fmt.Errorf("the script took %d MiB of memory without a pause", grown>>20))
	}
	return true
}

// limits returns how long the stretch that runs may take, and by how much the heap may grow meanwhile.
func (e *engine) limits() (time.Duration, int64) {
	o := e.script.Options()
	switch {
	case !e.ready.Load():
		return o.RunLimit * decide.LoadRuns, o.MemoryLimit * freeMemory
	case e.owner.Load() == nil:
		return o.RunLimit * decide.FreeRuns, o.MemoryLimit * freeMemory
	}
	return o.RunLimit, o.MemoryLimit
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
