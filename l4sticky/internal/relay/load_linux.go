package relay

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
	all    []*Loop
	active atomic.Pointer[[]*Loop] // those that get new pairs
	turn   atomic.Uint32
}

// load is what a loop knows of its load.
type load struct {
	since int64        // when the time of the current review began
	slept int64        // nanoseconds since then that the loop had nothing to do
	cpu   int64        // CPU time of the process at since
	idle  int64        // idle time of the machine at since, if the loop was full then, else 0
	share atomic.Int32 // thousandths of the time that were slept in the last review
	phase uint8        // counts the times that load is shed
	turn  bool
	to    *Loop // where every other busy pair goes, or nil
}

// mainLoop returns the loop that accepts.
func mainLoop() (*Loop, error) {
	if active := loops.active.Load(); active != nil {
		return (*active)[0], nil
	}
	loops.mu.Lock()
	defer loops.mu.Unlock()
	if len(loops.all) == 0 {
		l, err := newLoop()
		if err != nil {
			return nil, err
		}
		loops.all = append(loops.all, l)
		unsyncedActivate(1)
	}
	return loops.all[0], nil
}

// allLoops returns the loops that there are.
func allLoops() []*Loop {
	loops.mu.Lock()
	defer loops.mu.Unlock()
	return slices.Clone(loops.all)
}

// pickLoop returns the loop for a new pair.
func pickLoop() (*Loop, error) {
	active := loops.active.Load()
	switch {
	case active == nil:
		return mainLoop()
	case len(*active) == 1:
		return (*active)[0], nil
	}
	return (*active)[int(loops.turn.Add(1))%len(*active)], nil
}

// unsyncedActivate lets the first n loops have new pairs. The lock must be held.
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
	active := *loops.active.Load()
	if active[0] == l {
		l.scale(active, share, used)
		active = *loops.active.Load()
	}
	l.load.to = nil
	if share > fullShare {
		return
	}
	for _, other := range active {
		if other != l && other.load.share.Load() > int32(1000*roomShare) {
			l.load.to = other
			l.load.phase++
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
	idle := int64(0)
	if full {
		idle = idleTime()
	}
	before := l.load.idle
	l.load.idle = idle
	switch {
	case full && before > 0 && idle-before > int64(roomShare*float64(reviewPause)):
		n++
	case share > roomShare && n > 1 && used < float64(n)*(1-roomShare)/2:
		n--
	default:
		return
	}
	loops.mu.Lock()
	defer loops.mu.Unlock()
	if n > len(loops.all) {
		l, err := newLoop()
		if err != nil {
			report("starting a loop", err)
			return
		}
		l.load.share.Store(1000)
		loops.all = append(loops.all, l)
	}
	unsyncedActivate(n)
}

// shed gives every other of the pairs that are at work to a loop that has room.
func (l *Loop) shed(p *pair) {
	if l.load.to == nil || p.phase == l.load.phase || p.seek != nil || p.state&(dead|restless) != 0 {
		return
	}
	p.phase = l.load.phase
	if l.load.turn = !l.load.turn; !l.load.turn {
		return
	}
	for i := range p.ends {
		sysControl(l.epoll, unix.EPOLL_CTL_DEL, p.ends[i].fd, new(unix.EpollEvent))
	}
	l.detach(p)
	l.current = nil
	l.load.to.begin(arrival{moved: p})
}

// adopt takes in a pair from another loop. Its sockets tell anew what is to be done with them.
func (l *Loop) adopt(p *pair) {
	p.slot = l.newSlot()
	l.slots[p.slot] = p
	l.current = p
	p.phase = l.load.phase
	for i := range p.ends {
		p.ends[i].life = l.newLife()
		if errno := l.register(unix.EPOLL_CTL_ADD, p, i); errno != 0 {
			l.abandon(p, errno)
			return
		}
	}
	if p.state&lingering != 0 {
		l.timers.set(p, l.now+int64(linger))
	}
	l.watch(p)
}

// idleTime returns the time that the machine's cores had nothing to do, in nanoseconds, or 0 if that is not known.
func idleTime() int64 {
	file, err := os.Open("/proc/stat")
	if err != nil {
		return 0
	}
	defer file.Close()
	var ignored, idle int64
	var name string
	if _, err := fmt.Fscan(file, &name, &ignored, &ignored, &ignored, &idle); err != nil {
		return 0
	}
	return idle * 10_000_000 // it is counted in hundredths of a second
}

// cpuTime returns the CPU time that the process has used, in nanoseconds.
func cpuTime() int64 {
	var usage unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}
