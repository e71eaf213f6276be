package relay

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"

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

// A flight is one dial under way.
type flight struct {
	dial   Dial
	fd     int32  // -1 while the name is looked up
	life   uint32 // as an end's
	late   bool
	lateAt int64            // when it is late, or what to do about that is asked again
	until  int64            // when the dial has failed
	next   int64            // when the next address is tried
	addrs  []netip.AddrPort // left to be tried
	addr   netip.AddrPort   // being tried
	err    error
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

var errLookup = errors.New("the name has no address")

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
		case l.now >= f.until:
			f.err = os.ErrDeadlineExceeded
			f.addrs = nil
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

// launch begins a dial.
func (l *Loop) launch(p *pair, dial Dial) {
	s := p.seek
	s.flights = append(s.flights, flight{
		dial: dial, fd: -1,
		lateAt: l.now + int64(p.options.Late),
		until:  l.now + int64(p.options.DialTimeout),
	})
	f := &s.flights[len(s.flights)-1]
	if f.addrs = dial.Target.Addrs(); f.addrs != nil {
		l.nextAddress(p, len(s.flights)-1)
		return
	}
	f.life = l.newLife()
	l.yield = true
	go l.resolve(s, f.life, dial.Target, p.options.DialTimeout)
}

// resolve looks up a target's name for a dial, away from the loop.
func (l *Loop) resolve(s *seek, life uint32, t Target, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	addrs, err := t.Resolve(ctx)
	l.post(func() {
		p := s.pair
		if p.seek != s {
			return
		}
		l.current = p
		i := slices.IndexFunc(s.flights, func(f flight) bool { return f.life == life })
		if i < 0 {
			return
		}
		f := &s.flights[i]
		f.addrs, f.err = addrs, err
		if len(addrs) == 0 && err == nil {
			f.err = errLookup
		}
		if l.nextAddress(p, i); p.seek == s {
			l.advance(p)
		}
	})
}

// nextAddress dials the next address of a flight. A flight without a further one has failed.
func (l *Loop) nextAddress(p *pair, i int) {
	s := p.seek
	for {
		f := &s.flights[i]
		if f.fd >= 0 {
			sysClose(f.fd)
			f.fd = -1
		}
		if len(f.addrs) == 0 {
			l.flightFailed(p, i)
			return
		}
		to := f.addrs[0]
		f.addr = to
		f.next = l.now + (f.until-l.now)/int64(len(f.addrs))
		f.addrs = f.addrs[1:]
		fd, errno := sysSocket(to)
		if errno != 0 {
			f.err = os.NewSyscallError("socket", errno)
			f.addrs = nil // another would fail alike
			continue
		}
		f.fd, f.life = fd, l.newLife()
		if errno = sysConnect(fd, to); errno != 0 && errno != unix.EINPROGRESS {
			f.err = os.NewSyscallError("connect", errno)
			continue
		}
		if errno = l.tryFirstBytes(p, f); p.seek != s {
			return
		}
		if errno != 0 && errno != unix.EAGAIN {
			f.err = os.NewSyscallError("connect", errno)
			continue
		}
		if errno == 0 {
			l.take(p, i, true)
			return
		}
		if errno = l.registerFlight(p, f); errno != 0 {
			f.err = os.NewSyscallError("epoll_ctl", errno)
			f.addrs = nil
			continue
		}
		return
	}
}

// tryFirstBytes sends what the client has said already, which succeeds if the target is so near that it has
// accepted by now: a wait, an event and a look at the outcome are saved then. It returns EAGAIN if that is not
// known yet. Nothing may be sent to a target that would not be taken. A client that has gone ends the search.
func (l *Loop) tryFirstBytes(p *pair, f *flight) unix.Errno {
	s, up, from := p.seek, &p.flows[up], &p.ends[client]
	if len(s.flights) > 1 || s.spare != nil {
		return unix.EAGAIN
	}
	// To send nothing tells whether it has accepted. The route must not count on a target before that.
	if _, errno := sysSend(f.fd, nil); errno != 0 {
		return errno
	}
	if !s.route.Agreed(f.dial) {
		return unix.EAGAIN
	}
	if up.rest == nil {
		if from.state&readable == 0 {
			return unix.EAGAIN
		}
		n, errno := sysRecv(from.fd, l.buffer[:])
		switch {
		case errno == unix.EAGAIN:
			from.state &^= readable
			return errno
		case errno != 0: // which is told once
			l.lose(p, ErrClientLeft)
			return errno
		case n == 0:
			return unix.EAGAIN // it is read again when there is a target
		}
		if n < len(l.buffer) && from.state&(hungUp|broken) == 0 {
			from.state &^= readable
		}
		put, errno := sysSend(f.fd, l.buffer[:n])
		if errno != 0 {
			put = 0
		}
		if put < n {
			up.rest = keep(l.buffer[put:n])
		}
		if errno == 0 {
			up.moved, p.active = int64(put), l.now
		}
		return errno
	}
	n, errno := sysSend(f.fd, up.rest.bytes)
	if errno == 0 {
		up.rest.bytes = up.rest.bytes[n:]
		up.moved, p.active = int64(n), l.now
	}
	return errno
}

// flightEvent is what the loop learns of a dial under way.
func (l *Loop) flightEvent(p *pair, life, events uint32) {
	s := p.seek
	i := slices.IndexFunc(s.flights, func(f flight) bool { return f.life == life && f.fd >= 0 })
	if i < 0 {
		return
	}
	f := &s.flights[i]
	if events&unix.EPOLLERR != 0 {
		f.err = os.NewSyscallError("connect", sysError(f.fd))
		l.nextAddress(p, i)
	} else if events&(unix.EPOLLOUT|unix.EPOLLHUP) != 0 {
		l.accepted(p, i)
		// The banner of a server that speaks first may come with the same event.
		if p.seek == nil && p.state&dead == 0 {
			p.ends[target].note(events)
			l.pump(p)
			return
		}
	}
	if p.seek == s {
		l.advance(p)
	}
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

// end returns the flight's socket as a pair's end, whose events were asked for.
func (f *flight) end() end { return end{fd: f.fd, life: f.life, state: armed} }

// connected makes a pair of the client and a target.
func (l *Loop) connected(p *pair, f flight, line Line) {
	f.dial.Target.Reached(f.addr)
	p.seek, p.line = nil, line
	p.active = l.now
	l.timers.set(p, never)
	l.watch(p)
}

// flightFailed tells the route of a dial that has failed for good.
func (l *Loop) flightFailed(p *pair, i int) {
	s := p.seek
	f := s.flights[i]
	l.forget(p, i)
	if fatal := s.route.Failed(f.dial, f.err); fatal != nil {
		l.lose(p, fatal)
	}
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
	for _, f := range flights {
		s.route.Dropped(f.dial)
	}
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
	sysClose(p.ends[client].fd)
	l.drop(p)
	route.Lost(err)
}
