package eventloop

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// BufferSize is the size of the one buffer that all reads of a loop go through.
const BufferSize = 64 << 10

// A Loop carries many tasks with one thread, by the events of their sockets (epoll(7), edge-triggered). A task and its
// sockets belong to its loop, and only the loop's leader touches them; every other goroutine may only call Post and Add.
type Loop struct {
	// Calls are the system calls of the loop's tasks.
	Calls *Calls

	epoll  int32
	wakeup int32 // an eventfd that ends a wait
	leader leader

	inbox struct {
		sync.Mutex
		functions []func()
		tasks     []*Task
	}
	// asleep means that a goroutine that posts must end the wait. It changes from false with the inbox locked.
	asleep atomic.Bool

	now       time.Duration // the time of this turn
	buffer    *[BufferSize]byte
	events    [256]unix.EpollEvent
	timers    timers
	rung      time.Duration // when they were looked at last
	runQueue  []*Task       // those that have more to do without waiting
	slots     []*Task       // by the number in their events
	free      []uint32
	acceptors []Acceptor // likewise
	tasks     atomic.Int64
	last      uint32 // generation
	load      load
	// follower is the one that leads now, which waits even if there is no task, or nil.
	follower *Follower
	quiet    bool // the last turn had no event
	yield    bool // goroutines were woken, which must not wait until this one sleeps

	functions []func() // what was posted, while it is worked off
	added     []*Task
	current   *Task // the one to blame if something panics
}

// An Acceptor is a listening socket of a loop.
type Acceptor interface {
	// Accept takes in connections that wait.
	Accept()
}

// nap is how long a loop sleeps, in milliseconds, without telling the scheduler. A loop at work is woken sooner. To tell
// it each time would make its monitor take the processor away from the loop within microseconds, and cost more
// than the sleep itself; not to tell it for longer would keep other goroutines from the processor.
const nap = 1

// longestRing is for how long events may keep a loop from its timers.
const longestRing = 100 * time.Millisecond

// The lowest bits of the number in an event tell what it is for: a socket of a task, by its index, or one of these.
const (
	ofAcceptor = maxSockets + iota
	ofInbox
	ownerBits = 2
)

// New returns a loop that has no leader yet. It is for ever.
func New(calls *Calls) (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wakeup, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	l := &Loop{Calls: calls, epoll: int32(epoll), wakeup: int32(wakeup), buffer: new([BufferSize]byte), now: clock()}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: ofInbox}
	if errno := control(l.epoll, unix.EPOLL_CTL_ADD, l.wakeup, &event); errno != 0 {
		_, _ = unix.Close(epoll), unix.Close(wakeup)
		return nil, os.NewSyscallError("epoll_ctl", errno)
	}
	l.leader.init(l)
	return l, nil
}

// Now returns the time of the loop's turn.
func (l *Loop) Now() time.Duration { return l.now }

// Buffer returns the buffer of the loop, which is free whenever a task begins to do something.
func (l *Loop) Buffer() *[BufferSize]byte { return l.buffer }

// Yield lets goroutines that were woken have a processor soon.
func (l *Loop) Yield() { l.yield = true }

// Post has a function run by the loop's leader. It may be called from any goroutine.
func (l *Loop) Post(function func()) {
	l.inbox.Lock()
	l.inbox.functions = append(l.inbox.functions, function)
	l.inbox.Unlock()
	l.wake()
}

// Len returns how many tasks the loop carries. It may be called from any goroutine.
func (l *Loop) Len() int { return int(l.tasks.Load()) }

// Nudge makes the leader look up.
func (l *Loop) Nudge() { l.Post(func() {}) }

// Add hands a task over, which the loop starts. It may be called from any goroutine.
func (l *Loop) Add(t *Task) {
	l.tasks.Add(1)
	l.inbox.Lock()
	l.inbox.tasks = append(l.inbox.tasks, t)
	l.inbox.Unlock()
	l.wake()
}

// wake makes sure that a leader looks into the inbox.
func (l *Loop) wake() {
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		one := [8]byte{1}
		_, _ = unix.Write(int(l.wakeup), one[:])
		return
	}
	l.leader.ensure()
}

// turn does what there is to do, and waits for more if there is nothing.
func (l *Loop) turn() {
	defer l.recover()
	l.current = nil
	safely.Reach("loop")
	l.now = clock()
	for !l.work() { // again after a panic
	}
	before := l.now
	var n int
	if l.yield || len(l.runQueue) > 0 || l.follower != nil && l.follower.queued.Load() > 0 {
		n = l.Calls.Wait(l.epoll, l.events[:], 0)
	} else {
		n = l.wait()
	}
	l.quiet = n == 0
	if n == 0 && l.yield {
		l.yield = false
		runtime.Gosched()
	}
	l.now = clock()
	for done := 0; done < n; {
		done += l.handle(l.events[done:n])
	}
	// What had happened by then has been seen to, so what is due by then has not happened in time: a loop that was held up
	// must not blame others for it.
	if n < len(l.events) || before-l.rung > longestRing {
		l.rung = before
		for !l.ring(before) { // again after a panic
		}
	}
	if l.now-l.load.since > reviewPause {
		l.current = nil
		l.review()
	}
}

// wait sleeps until there are events, and returns how many.
func (l *Loop) wait() int {
	if l.follower == nil && l.tasks.Load() == 0 {
		return 0 // there is nothing to wait for
	}
	l.inbox.Lock()
	if len(l.inbox.functions)+len(l.inbox.tasks) > 0 {
		l.inbox.Unlock()
		return l.Calls.Wait(l.epoll, l.events[:], 0)
	}
	l.asleep.Store(true)
	l.inbox.Unlock()

	timeout := -1
	if next := l.timers.next(); next != Never {
		timeout = int(min(max(next-l.now+time.Millisecond-1, 0)/time.Millisecond, 1e6))
	}
	n := 0
	if timeout != 0 {
		n = l.Calls.Wait(l.epoll, l.events[:], nap)
	}
	if n == 0 {
		n, _ = unix.EpollWait(int(l.epoll), l.events[:], timeout) // an interruption is no event
	}
	l.asleep.Store(false)
	l.load.slept += clock() - l.now
	return max(n, 0)
}

// work does all that is neither an event nor a timer, and reports whether it came to the end.
func (l *Loop) work() (finished bool) {
	defer l.recover()
	l.inbox.Lock()
	l.functions, l.inbox.functions = append(l.functions, l.inbox.functions...), emptied(l.inbox.functions)
	l.added, l.inbox.tasks = append(l.added, l.inbox.tasks...), emptied(l.inbox.tasks)
	l.inbox.Unlock()

	for len(l.added) > 0 {
		l.start(pop(&l.added))
	}
	for len(l.functions) > 0 {
		next := pop(&l.functions)
		l.current = nil
		next()
	}
	for range len(l.runQueue) {
		t := pop(&l.runQueue)
		t.queued = false
		if l.current = t; !t.removed {
			t.handler.Continue()
		}
	}
	return true
}

// handle works off events, and returns how many.
func (l *Loop) handle(events []unix.EpollEvent) (done int) {
	defer l.recover()
	for i := range events {
		done = i + 1
		l.event(&events[i])
	}
	return done
}

func (l *Loop) event(e *unix.EpollEvent) {
	number, owner := uint32(e.Fd)>>ownerBits, e.Fd&(1<<ownerBits-1)
	switch owner {
	case ofInbox:
		var count [8]byte
		_, _ = unix.Read(int(l.wakeup), count[:])
	case ofAcceptor:
		l.current = nil
		if a := l.acceptors[number]; a != nil {
			a.Accept()
		}
	default:
		if t := l.slots[number]; t != nil {
			l.current = t
			t.handler.Ready(int(owner), uint32(e.Pad), e.Events)
		}
	}
}

// ring works off the timers that were due at a time, and reports whether it came to the end.
func (l *Loop) ring(due time.Duration) (finished bool) {
	defer l.recover()
	for l.timers.next() <= due {
		t := l.timers[0]
		l.current = t
		l.timers.set(t, Never)
		t.handler.Expired()
	}
	return true
}

// recover keeps the loop alive when something panics, and ends the task at fault.
func (l *Loop) recover() {
	fault := recover()
	if fault == nil {
		return
	}
	safely.Report("loop", fault)
	if t := l.current; t != nil && !t.removed {
		t.handler.Abandon()
	}
}

// pop takes the first one from a list.
func pop[T any](list *[]T) (first T) {
	var none T
	first, (*list)[0] = (*list)[0], none
	*list = (*list)[1:]
	return first
}

// emptied returns the memory of a list, which keeps nothing alive any more.
func emptied[T any](list []T) []T {
	clear(list)
	return list[:0]
}
