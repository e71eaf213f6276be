package relay

import (
	"golang.org/x/sys/unix"
)

// handle works off events, and returns how many.
func (l *Loop) handle(events []unix.EpollEvent) (done int) {
	defer l.contain()
	for i := range events {
		done = i + 1
		l.event(&events[i])
	}
	return done
}

func (l *Loop) event(e *unix.EpollEvent) {
	number, whose := uint32(e.Fd)>>2, e.Fd&3
	switch whose {
	case ofInbox:
		var count [8]byte
		_, _ = unix.Read(int(l.wake), count[:])
		return
	case ofDoor:
		l.current = nil
		l.doors[number].accept(l)
		return
	}
	p := l.slots[number]
	if p == nil {
		return
	}
	l.current = p
	life := uint32(e.Pad)
	switch {
	case whose == ofTarget && p.seek != nil:
		l.flightEvent(p, life, e.Events)
	case p.ends[whose].life != life:
		// The event is of a socket that is closed.
	case p.seek != nil:
		p.ends[client].note(e.Events)
		if e.Events&unix.EPOLLERR != 0 || p.leash.ends() {
			l.lose(p, ErrClientLeft)
		}
	default:
		p.ends[whose].note(e.Events)
		l.pump(p)
		l.shed(p)
	}
}

// note keeps in mind what an event says.
func (e *end) note(events uint32) {
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 && e.state&ended == 0 {
		e.state |= readable
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP) != 0 {
		e.state |= hungUp
	}
	if events&unix.EPOLLERR != 0 {
		e.state |= broken
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		e.state &^= blocked
	}
}

// register tells the kernel which events of an end are of interest.
func (l *Loop) register(operation int, p *pair, i int) unix.Errno {
	e := &p.ends[i]
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff)
	if e.state&armed != 0 {
		events |= unix.EPOLLOUT
	}
	return sysControl(l.epoll, operation, e.fd, &unix.EpollEvent{Events: events, Fd: int32(p.slot<<2) | int32(i), Pad: int32(e.life)})
}

// registerFlight does the same for the socket of a dial.
func (l *Loop) registerFlight(p *pair, f *flight) unix.Errno {
	events := uint32(unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET&0xffffffff)
	return sysControl(l.epoll, unix.EPOLL_CTL_ADD, f.fd, &unix.EpollEvent{Events: events, Fd: int32(p.slot<<2) | ofTarget, Pad: int32(f.life)})
}

func (l *Loop) newLife() uint32 {
	l.life++
	return l.life
}

func (l *Loop) newSlot() uint32 {
	if n := len(l.free); n > 0 {
		slot := l.free[n-1]
		l.free = l.free[:n-1]
		return slot
	}
	l.slots = append(l.slots, nil)
	return uint32(len(l.slots) - 1)
}
