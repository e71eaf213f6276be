package relay

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A seek is a pair's search for a target that accepts.
type seek struct {
	loop    *Loop
	pair    *pair
	route   Route
	flights []flight
	spare   *flight   // a target that accepted but is not the right one
	waiting bool      // the route will wake the pair
	first   [1]flight // the memory of flights, which usually is one
}

// Wake makes the pair ask its route again.
func (s *seek) Wake() {
	s.loop.post(func() {
		if s.pair.seek == s {
			s.loop.current = s.pair
			s.waiting = false
			s.loop.advance(s.pair)
		}
	})
}

// advance goes on with the search as far as is possible now. Another target is dialled as soon as there is no dial
// under way that can still be hoped for.
func (l *Loop) advance(p *pair) {
	for s := p.seek; s != nil && p.seek == s; {
		if l.overdue(p); p.seek != s {
			return
		}
		if !l.mayDial(p) || s.waiting {
			l.timers.set(p, s.due())
			return
		}
		dial, step := s.route.Next(s)
		switch {
		case step == Dialling:
			l.launch(p, dial)
		case step == Waiting:
			s.waiting = true
		case len(s.flights) > 0:
			l.timers.set(p, s.due())
			return
		case s.spare != nil:
			spare := *s.spare
			s.spare = nil
			p.ends[target] = spare.end()
			l.giveUp(p)
			l.connected(p, spare, s.route.Settle(spare.dial))
			l.register(unix.EPOLL_CTL_MOD, p, target) // its events so far went unheard, and come again by this
			return
		default:
			l.lose(p, nil)
			return
		}
	}
}

// mayDial reports whether all dials under way are late, and the route would rather try another target.
func (l *Loop) mayDial(p *pair) bool {
	s := p.seek
	for i := range s.flights {
		if f := &s.flights[i]; !f.late || !s.route.Late(f.dial) {
			return false
		}
	}
	return true
}

// overdue looks at the time of the dials under way.
func (l *Loop) overdue(p *pair) {
	s := p.seek
	for i := 0; i < len(s.flights); i++ {
		f := &s.flights[i]
		if l.now >= f.lateAt {
			f.late, f.lateAt = true, l.now+int64(askAgain)
		}
		switch {
		case l.now >= f.until && f.starved():
			f.addrs = nil // the error tells what it has waited for
		case l.now >= f.until:
			f.err = os.ErrDeadlineExceeded
			f.addrs = nil
		case f.starved() && l.now >= f.next:
		case f.fd >= 0 && len(f.addrs) > 0 && l.now >= f.next:
			f.err = os.ErrDeadlineExceeded
		default:
			continue
		}
		if l.nextAddress(p, i); p.seek != s {
			return
		}
		i = -1 // the list may have changed
	}
}

// due returns when the next of the dials under way is late or has failed.
func (s *seek) due() int64 {
	due := int64(never)
	for i := range s.flights {
		f := &s.flights[i]
		due = min(due, f.until, f.lateAt)
		if len(f.addrs) > 0 {
			due = min(due, f.next)
		}
	}
	return due
}

// accepted is called when a target has accepted.
func (l *Loop) accepted(p *pair, i int) {
	s := p.seek
	f := s.flights[i]
	if s.route.Agreed(f.dial) {
		l.take(p, i, false)
		return
	}
	l.forget(p, i)
	old := s.spare
	if s.spare = &f; old != nil {
		sysClose(old.fd)
		s.route.Dropped(old.dial)
	}
}

// take makes the target of a flight the pair's. A fresh one is not registered for events yet.
func (l *Loop) take(p *pair, i int, fresh bool) {
	f := p.seek.flights[i]
	l.forget(p, i)
	p.ends[target] = f.end()
	l.giveUp(p)
	l.connected(p, f, p.seek.route.Connected(f.dial))
	if !fresh {
		return
	}
	p.ends[target].state &^= armed
	if errno := l.register(unix.EPOLL_CTL_ADD, p, target); errno != 0 {
		l.targetFailed(p, errno)
		l.streamEnded(p, down)
		return
	}
	if p.flows[up].rest != nil || p.ends[client].state&readable != 0 {
		l.rouse(p)
	}
}

// connected makes a pair of the client and a target.
func (l *Loop) connected(p *pair, f flight, line Line) {
	f.dial.Target.Reached(f.addr)
	p.promised.connected()
	p.seek, p.line = nil, line
	p.active = l.now
	l.timers.set(p, never)
	l.watch(p)
}

func (l *Loop) forget(p *pair, i int) {
	p.seek.flights = slices.Delete(p.seek.flights, i, i+1)
}

// giveUp drops all that the search holds.
func (l *Loop) giveUp(p *pair) {
	s := p.seek
	flights := s.all()
	s.flights, s.spare = nil, nil
	for _, f := range flights {
		if f.fd >= 0 {
			sysClose(f.fd)
		}
	}
	dropAll(s.route, flights)
}

// all returns the dials under way and the spare.
func (s *seek) all() []flight {
	if s.spare == nil {
		return s.flights
	}
	return append(s.flights, *s.spare)
}

// lose ends a pair that has found no target.
func (l *Loop) lose(p *pair, err error) {
	l.giveUp(p)
	route := p.seek.route
	if !errors.Is(err, ErrClientLeft) {
		dismiss(p.ends[client].fd)
	}
	p.leash.untie()
	sysClose(p.ends[client].fd)
	l.drop(p)
	route.Lost(err)
}
