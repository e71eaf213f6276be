package relay

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

var errLookup = errors.New("the name has no address")

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
	life := f.life
	go safely.Do("lookup", func() { l.resolve(s, life, dial.Target, p.options.DialTimeout) })
}

// resolve looks up a target's name for a dial, away from the loop.
func (l *Loop) resolve(s *seek, life uint32, t Target, timeout time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	addrs, err := []netip.AddrPort(nil), safely.ErrPanic // unless it comes to an end
	defer func() {
		l.post(func() { l.resolved(s, life, addrs, err) })
	}()
	safely.Reach("lookup")
	addrs, err = t.Resolve(ctx)
	if len(addrs) == 0 && err == nil {
		err = errLookup
	}
}

// resolved goes on with a dial whose target's name was looked up.
func (l *Loop) resolved(s *seek, life uint32, addrs []netip.AddrPort, err error) {
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
	if l.nextAddress(p, i); p.seek == s {
		l.advance(p)
	}
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
			if f.starved() {
				l.awaitDescriptor(f, p.options.Late)
				return
			}
			f.addrs = nil // another would fail alike
			continue
		}
		f.fd, f.life = fd, l.newLife()
		p.options.KeepAlive.setOptions(fd)
		if errno = sysConnect(fd, to); errno != 0 && errno != unix.EINPROGRESS {
			f.err = os.NewSyscallError("connect", errno)
			continue
		}
		if p.options.Own != nil && p.options.Own(to) {
			local := sysLocal(fd)
			s.route.Own(f.dial, local, func() bool { return sysLocal(fd) == local })
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

// starved reports whether the dial waits for a descriptor.
func (f *flight) starved() bool {
	return f.fd < 0 && (errors.Is(f.err, unix.EMFILE) || errors.Is(f.err, unix.ENFILE))
}

// awaitDescriptor has the same address tried again soon. The target is not late meanwhile.
func (l *Loop) awaitDescriptor(f *flight, late time.Duration) {
	f.addrs = append([]netip.AddrPort{f.addr}, f.addrs...)
	f.next = l.now + int64(acceptPause)
	f.lateAt = max(f.lateAt, l.now+int64(late))
	reclaim()
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

// flightFailed tells the route of a dial that has failed for good.
func (l *Loop) flightFailed(p *pair, i int) {
	s := p.seek
	f := s.flights[i]
	l.forget(p, i)
	if fatal := s.route.Failed(f.dial, f.err); fatal != nil {
		l.lose(p, fatal)
	}
}

// end returns the flight's socket as a pair's end, whose events were asked for.
func (f *flight) end() end { return end{fd: f.fd, life: f.life, state: armed} }
