package eventloop

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// reviewPause is how often a loop looks at its load.
	reviewPause = 100 * time.Millisecond
	// A loop that sleeps for less than this share of the time is full, and one that sleeps for more than the other
	// has room.
	fullShare, roomShare = 0.1, 0.5
)

// loops are all that there are. The first one accepts, and carries everything as long as it can: a single loop needs
// the fewest wake-ups. Others come as the load needs them, up to one for each core that Go uses.
var loops struct {
	mu     sync.Mutex
	calls  Calls // of new loops
	all    []*Loop
	active atomic.Pointer[[]*Loop] // those that get new tasks
	turn   atomic.Uint32
}

func init() { loops.calls = System }

// load is what a loop knows of its load.
type load struct {
	since time.Duration // when the time of the current review began
	slept time.Duration // for how long the loop has had nothing to do since then
	cpu   time.Duration // CPU time of the process at since
	idle  time.Duration // idle time of the machine at since, if the loop was full then, else 0
	share atomic.Int32  // thousandths of the time that were slept in the last review
	phase uint8         // counts the times that tasks are to be moved
	turn  bool
	to    *Loop // where every other busy task goes, or nil
}

// Use has all connections from now on carried by loops that make these system calls, until restore is called. It is for
// tests. What other loops carry stays with them.
func Use(calls Calls) (restore func()) {
	loops.mu.Lock()
	defer loops.mu.Unlock()
	callsBefore, all, active := loops.calls, loops.all, loops.active.Load()
	loops.calls, loops.all = calls, nil
	loops.active.Store(nil)
	return func() {
		loops.mu.Lock()
		defer loops.mu.Unlock()
		loops.calls, loops.all = callsBefore, all
		loops.active.Store(active)
	}
}

// Main returns the loop that accepts.
func Main() (*Loop, error) {
	if active := activeLoops(); len(active) > 0 {
		return active[0], nil
	}
	loops.mu.Lock()
	defer loops.mu.Unlock()
	if len(loops.all) == 0 {
		calls := loops.calls
		l, err := New(&calls)
		if err != nil {
			return nil, err
		}
		loops.all = append(loops.all, l)
		unsyncedActivate(1)
	}
	return loops.all[0], nil
}

// All returns the loops that there are.
func All() []*Loop {
	loops.mu.Lock()
	defer loops.mu.Unlock()
	return slices.Clone(loops.all)
}

// Pick returns the loop for a new task.
func Pick() (*Loop, error) {
	active := activeLoops()
	switch len(active) {
	case 0:
		return Main()
	case 1:
		return active[0], nil
	}
	return active[int(loops.turn.Add(1))%len(active)], nil
}

// activeLoops returns the loops that get new tasks.
func activeLoops() []*Loop {
	if active := loops.active.Load(); active != nil {
		return *active
	}
	return nil
}

// unsyncedActivate lets the first n loops have new tasks. The lock must be held.
func unsyncedActivate(n int) {
	active := append([]*Loop(nil), loops.all[:n]...)
	loops.active.Store(&active)
}

// review looks back at how busy the loop was.
func (l *Loop) review() {
	window := l.now - l.load.since
	share := float64(l.load.slept) / float64(window)
	cpu := cpuTime()
	used := float64(cpu-l.load.cpu) / float64(window)
	first := l.load.since == 0
	l.load.since, l.load.slept, l.load.cpu = l.now, 0, cpu
	if first {
		return
	}
	l.load.share.Store(int32(1000 * share))
	l.load.to = nil
	active := activeLoops()
	if len(active) > 0 && active[0] == l {
		l.scale(active, share, used)
		active = activeLoops()
	}
	if share > fullShare {
		return
	}
	for _, other := range active {
		if other != l && other.load.share.Load() > int32(1000*roomShare) {
			l.MoveBusyTo(other)
			other.load.share.Store(0) // one at a time, until it has seen what that brings
			return
		}
	}
}

// scale changes the number of active loops. That the loop never sleeps is not enough for another one: it must be the
// balancer that uses up its cores, and there must be one that is idle.
func (l *Loop) scale(active []*Loop, share, used float64) {
	n := len(active)
	full := share < fullShare && n < runtime.GOMAXPROCS(0) && used > float64(n)*(1-2*fullShare)
	idle := time.Duration(0)
	if full {
		idle = idleTime()
	}
	before := l.load.idle
	l.load.idle = idle
	switch {
	case full && before > 0 && idle-before > time.Duration(roomShare*float64(reviewPause)):
		n++
	case share > roomShare && n > 1 && used < float64(n)*(1-roomShare)/2:
		n--
	default:
		return
	}
	loops.mu.Lock()
	defer loops.mu.Unlock()
	if n > len(loops.all) {
		l, err := New(loops.all[0].Calls)
		if err != nil {
			Report("starting a loop", err)
			return
		}
		l.load.share.Store(1000)
		loops.all = append(loops.all, l)
	}
	unsyncedActivate(n)
}

// MoveBusyTo has every other task that is at work move to another loop from now on, until the next review. With nil none
// does. The loop calls it.
func (l *Loop) MoveBusyTo(other *Loop) {
	l.load.to = other
	l.load.phase++
}

// Moves reports whether a busy task is to be moved to another loop by MoveTo, and to which one: every other task is, while
// this loop is full and that one has room.
func (t *Task) Moves() (to *Loop) {
	l := t.loop
	if l.load.to == nil || t.phase == l.load.phase || t.queued || t.removed {
		return nil
	}
	t.phase = l.load.phase
	if l.load.turn = !l.load.turn; !l.load.turn {
		return nil
	}
	return l.load.to
}

// MoveTo hands the task, whose sockets are not watched any more, to another loop, which starts it.
func (t *Task) MoveTo(to *Loop) {
	moved.Add(1)
	t.Remove()
	t.loop.current = nil
	to.Add(t)
}

var moved atomic.Int64

// Moved returns how many tasks have been moved from one loop to another.
func Moved() int64 { return moved.Load() }

// idleTime returns the time that the machine's cores had nothing to do, or 0 if that is not known.
func idleTime() time.Duration {
	file, err := os.Open("/proc/stat")
	if err != nil {
		return 0
	}
	defer file.Close()
	var ignored, idle time.Duration
	var name string
	if _, err := fmt.Fscan(file, &name, &ignored, &ignored, &ignored, &idle); err != nil {
		return 0
	}
	return idle * 10 * time.Millisecond // it is counted in hundredths of a second
}

// cpuTime returns the CPU time that the process has used.
func cpuTime() time.Duration {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
