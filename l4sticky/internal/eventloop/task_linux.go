package eventloop

import (
	"time"

	"golang.org/x/sys/unix"
)

// maxSockets is how many sockets, by their index, a task can tell apart.
const maxSockets = 2

// A Handler does what a task has to do. The task's loop calls it.
type Handler interface {
	// Start begins the task, or goes on with it after it was moved to another loop.
	Start()
	// Ready is told of events of the socket with this index and generation. They may be late: of a socket that the task
	// has closed.
	Ready(index int, generation, events uint32)
	// Continue goes on with what was put off by Queue.
	Continue()
	// Expired is called when the deadline has come.
	Expired()
	// Abandon ends the task after a panic: it closes all that it has and calls Remove.
	Abandon()
}

// A Task is what a loop carries. It is part of what its handler is, so that it needs no memory of its own.
type Task struct {
	handler  Handler
	loop     *Loop
	deadline time.Duration
	slot     uint32
	place    int32 // among the timers, or -1
	phase    uint8 // the last time of migration that has looked at it
	queued   bool
	removed  bool
}

// Init makes a task ready to be added to a loop.
func (t *Task) Init(h Handler) { *t = Task{handler: h, deadline: Never, place: -1} }

// Loop returns the loop that carries the task.
func (t *Task) Loop() *Loop { return t.loop }

// Handler returns what the task is part of.
func (t *Task) Handler() Handler { return t.handler }

// Removed reports whether the task is over, or moves to another loop.
func (t *Task) Removed() bool { return t.removed }

// SetDeadline changes when Expired is called.
func (t *Task) SetDeadline(deadline time.Duration) { t.loop.timers.set(t, deadline) }

// Queue has Continue called soon.
func (t *Task) Queue() {
	if !t.queued && !t.removed {
		t.queued = true
		t.loop.runQueue = append(t.loop.runQueue, t)
	}
}

// Queued reports whether Continue is going to be called.
func (t *Task) Queued() bool { return t.queued }

// start takes a task in.
func (l *Loop) start(t *Task) {
	if n := len(l.free); n > 0 {
		t.slot = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		t.slot = uint32(len(l.slots))
		l.slots = append(l.slots, nil)
	}
	l.slots[t.slot] = t
	if t.loop != nil { // one that was moved stays for a while
		t.phase = l.load.phase
	}
	t.loop, t.removed = l, false
	l.current = t
	t.handler.Start()
}

// Remove takes the task out of its loop.
func (t *Task) Remove() {
	l := t.loop
	l.timers.set(t, Never)
	l.slots[t.slot] = nil
	l.free = append(l.free, t.slot)
	l.tasks.Add(-1)
	t.removed = true
}

// Blame notes that what follows is done for the task, which is ended if that panics.
func (t *Task) Blame() { t.loop.current = t }

// Tasks calls a function for each task of the loop, which may remove it.
func (l *Loop) Tasks(f func(*Task)) {
	for _, t := range l.slots {
		if t != nil {
			l.current = t
			f(t)
		}
	}
}

// What is known of a socket.
const (
	Readable = 1 << iota // there may be something to read
	HungUp               // behind what there is to read comes the end of the stream
	Broken               // the connection has failed; what was received before can still be read
	Ended                // the end of the stream was read
	Blocked              // takes no bytes at the moment
	Armed                // an event will tell when it takes bytes again
)

// A Socket is one of a task.
type Socket struct {
	FD         int32
	Generation uint32 // tells its events from those of a socket that had the same index before
	State      uint8
}

// NewSocket returns a socket of the task, which no loop watches yet.
func (t *Task) NewSocket(fd int32, state uint8) Socket {
	t.loop.last++
	return Socket{FD: fd, Generation: t.loop.last, State: state}
}

// Note keeps in mind what an event says.
func (s *Socket) Note(events uint32) {
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 && s.State&Ended == 0 {
		s.State |= Readable
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0 {
		s.State |= HungUp
	}
	if events&unix.EPOLLERR != 0 {
		s.State |= Broken
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		s.State &^= Blocked
	}
}

// Watch has the loop tell the events of a socket, for the first time or anew: also that it takes bytes, if it is Armed.
func (t *Task) Watch(index int, s *Socket) unix.Errno { return t.watch(unix.EPOLL_CTL_ADD, index, s) }

// Rewatch changes what Watch has asked for. The loop then tells once more what there is.
func (t *Task) Rewatch(index int, s *Socket) unix.Errno { return t.watch(unix.EPOLL_CTL_MOD, index, s) }

// Unwatch ends Watch for a socket that stays open.
func (t *Task) Unwatch(s *Socket) {
	control(t.loop.epoll, unix.EPOLL_CTL_DEL, s.FD, new(unix.EpollEvent))
}

func (t *Task) watch(operation, index int, s *Socket) unix.Errno {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff)
	if s.State&Armed != 0 {
		events |= unix.EPOLLOUT
	}
	event := unix.EpollEvent{Events: events, Fd: int32(t.slot<<ownerBits) | int32(index), Pad: int32(s.Generation)}
	return control(t.loop.epoll, operation, s.FD, &event)
}

// Block waits for a socket to take bytes again.
func (t *Task) Block(index int, s *Socket) {
	s.State |= Blocked
	if s.State&Armed == 0 {
		s.State |= Armed
		t.Rewatch(index, s)
	}
}
