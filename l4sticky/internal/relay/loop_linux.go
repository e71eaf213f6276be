package relay

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// A Loop carries many connections with one thread, by the events of their sockets (epoll(7), edge-triggered). A pair
// of sockets stays with its loop, and nobody else touches it.
//
// Whoever drives the loop runs its turns: a goroutine of its own, or the Accept of a Listener. Everybody else may
// only post.
type Loop struct {
	epoll  int32
	wake   int32 // an eventfd that ends a wait
	driver driver

	inbox struct {
		sync.Mutex
		functions []func()
		arrivals  []arrival
	}
	// asleep means that whoever posts must end the wait. It changes from false with the inbox locked.
	asleep atomic.Bool

	now    int64 // the time of this turn
	buffer *[bufferSize]byte
	events [256]unix.EpollEvent
	timers timers
	rung   int64   // when they were looked at last
	again  []*pair // those that have more to do without waiting
	slots  []*pair // by the number in their events
	free   []uint32
	doors  []*door // listening sockets, likewise
	pairs  atomic.Int64
	life   uint32
	load   load
	// accepting is the listener whose Accept drives, which waits even if there is no pair, or nil.
	accepting *Listener
	quiet     bool // the last turn had no event
	yield     bool // goroutines were woken, which must not wait until this one sleeps

	functions []func() // what was posted, while it is worked off
	arrivals  []arrival
	current   *pair // the one to blame if something panics
}

// An arrival is a client that comes to a loop.
type arrival struct {
	fd       int32
	early    []byte
	route    Route
	options  *Options
	leash    *Leash
	promised promise
	moved    *pair // a pair from another loop, instead
}

// nap is how long a loop sleeps, in milliseconds, without telling the scheduler. A loop at work is woken sooner. To tell
// it each time would make its monitor take the processor away from the loop within microseconds, and cost more
// than the sleep itself; not to tell it for longer would keep other goroutines from the processor.
const nap = 1

// longestRing is for how long events may keep a loop from its timers.
const longestRing = 100 * time.Millisecond

// The lowest bits of the number in an event tell whose it is.
const (
	ofClient = iota
	ofTarget
	ofDoor
	ofInbox
)

// newLoop returns a loop that nobody drives yet.
func newLoop() (*Loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	l := &Loop{epoll: int32(epoll), wake: int32(wake), buffer: new([bufferSize]byte)}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: ofInbox}
	if errno := sysControl(l.epoll, unix.EPOLL_CTL_ADD, l.wake, &event); errno != 0 {
		_, _ = unix.Close(epoll), unix.Close(wake)
		return nil, os.NewSyscallError("epoll_ctl", errno)
	}
	l.driver.init(l)
	return l, nil
}

// post has a function run by who drives the loop.
func (l *Loop) post(function func()) {
	l.inbox.Lock()
	l.inbox.functions = append(l.inbox.functions, function)
	l.inbox.Unlock()
	l.rouseDriver()
}

// nudge makes who drives the loop look up.
func (l *Loop) nudge() { l.post(func() {}) }

// begin hands a client over, and its descriptor with it.
func (l *Loop) begin(s arrival) {
	l.pairs.Add(1)
	l.inbox.Lock()
	l.inbox.arrivals = append(l.inbox.arrivals, s)
	l.inbox.Unlock()
	l.rouseDriver()
}

// rouseDriver makes sure that somebody looks into the inbox.
func (l *Loop) rouseDriver() {
	if l.asleep.Load() && l.asleep.CompareAndSwap(true, false) {
		l.interrupt()
		return
	}
	l.driver.ensure()
}

// interrupt ends a wait.
func (l *Loop) interrupt() {
	one := [8]byte{1}
	_, _ = unix.Write(int(l.wake), one[:])
}

// turn does what there is to do, and waits for more if there is nothing.
func (l *Loop) turn() {
	defer l.contain()
	l.current = nil
	safely.Reach("loop")
	l.now = clock()
	for !l.work() { // again after a panic
	}
	before := l.now
	var n int
	if l.yield || len(l.again) > 0 || l.accepting != nil && l.accepting.queued.Load() > 0 {
		n = sysPoll(l.epoll, l.events[:], 0)
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
	if n < len(l.events) || before-l.rung > int64(longestRing) {
		l.rung = before
		for !l.ring(before) { // again after a panic
		}
	}
	if l.now-l.load.since > int64(reviewPause) {
		l.current = nil
		l.review()
	}
}

// wait sleeps until there are events, and returns how many.
func (l *Loop) wait() int {
	if l.accepting == nil && l.pairs.Load() == 0 {
		return 0 // there is nothing to wait for
	}
	l.inbox.Lock()
	if len(l.inbox.functions)+len(l.inbox.arrivals) > 0 {
		l.inbox.Unlock()
		return sysPoll(l.epoll, l.events[:], 0)
	}
	l.asleep.Store(true)
	l.inbox.Unlock()

	timeout := -1
	if next := l.timers.next(); next != never {
		timeout = int(min(max(next-l.now+1e6-1, 0)/1e6, 1e6))
	}
	n := 0
	if timeout != 0 {
		n = sysPoll(l.epoll, l.events[:], nap)
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
	defer l.contain()
	l.inbox.Lock()
	l.functions, l.inbox.functions = append(l.functions, l.inbox.functions...), emptied(l.inbox.functions)
	l.arrivals, l.inbox.arrivals = append(l.arrivals, l.inbox.arrivals...), emptied(l.inbox.arrivals)
	l.inbox.Unlock()

	for len(l.arrivals) > 0 {
		next := l.arrivals[0]
		l.arrivals[0] = arrival{}
		l.arrivals = l.arrivals[1:]
		l.open(next)
	}
	for len(l.functions) > 0 {
		next := l.functions[0]
		l.functions[0] = nil
		l.functions = l.functions[1:]
		l.current = nil
		next()
	}
	for range len(l.again) {
		p := l.again[0]
		l.again[0] = nil
		l.again = l.again[1:]
		p.state &^= restless
		if l.current = p; p.state&dead == 0 && p.seek == nil {
			l.pump(p)
		}
	}
	return true
}

// ring works off the timers that were due at a time, and reports whether it came to the end.
func (l *Loop) ring(due int64) (finished bool) {
	defer l.contain()
	for l.timers.next() <= due {
		p := l.timers[0]
		l.current = p
		l.timers.set(p, never)
		l.expire(p)
	}
	return true
}

// emptied returns the memory of a list, which keeps nothing alive any more.
func emptied[T any](list []T) []T {
	clear(list)
	return list[:0]
}

// open takes in what comes to the loop.
func (l *Loop) open(s arrival) {
	if s.moved != nil {
		l.adopt(s.moved)
		return
	}
	p := &pair{options: s.options, leash: s.leash, promised: s.promised, deadline: never, place: -1, active: l.now, slot: l.newSlot()}
	l.slots[p.slot] = p
	l.current = p
	p.seek = &seek{loop: l, pair: p, route: s.route}
	p.seek.flights = p.seek.first[:0]
	p.ends[client] = end{fd: s.fd, life: l.newLife(), state: readable}
	p.ends[target].fd = -1
	if len(s.early) > 0 {
		p.flows[up].rest = &rest{bytes: s.early}
	}
	l.advance(p)
	if p.state&dead != 0 {
		return
	}
	if errno := l.register(unix.EPOLL_CTL_ADD, p, client); errno != 0 {
		l.abandon(p, errno)
	}
}

// abandon ends a pair that can't be carried on, in whatever state.
func (l *Loop) abandon(p *pair, errno unix.Errno) {
	switch {
	case p.state&dead != 0:
	case p.seek != nil:
		l.lose(p, os.NewSyscallError("epoll_ctl", errno))
	default:
		l.clientFailed(p, errno)
	}
}

// drop forgets a pair, whose sockets are closed.
func (l *Loop) drop(p *pair) {
	l.detach(p)
	p.promised.release()
	p.state |= dead
	p.seek, p.line = nil, nil
	for i := range p.flows {
		if r := p.flows[i].rest; r != nil {
			r.free()
			p.flows[i].rest = nil
		}
	}
}

// detach takes a pair out of the loop.
func (l *Loop) detach(p *pair) {
	l.timers.set(p, never)
	l.slots[p.slot] = nil
	l.free = append(l.free, p.slot)
	l.pairs.Add(-1)
}
