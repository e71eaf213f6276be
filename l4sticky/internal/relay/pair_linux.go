package relay

import (
	"os"

	"golang.org/x/sys/unix"
)

// The two ends of a pair, and the two ways of its bytes: a flow has the number of the end that it comes from.
const (
	client, target = 0, 1
	up, down       = client, target
)

// What is known of an end.
const (
	readable = 1 << iota // there may be something to read
	hungUp               // behind what there is to read comes the end of the stream
	broken               // the connection has failed; what was received before can still be read
	ended                // the end of the stream was read
	blocked              // takes no bytes at the moment
	armed                // an event will tell when it takes bytes again
)

// What is known of a pair.
const (
	dead       = 1 << iota // is over; nothing may be done with it
	targetGone             // nothing can be delivered to the target any more
	lingering              // the client has been told the end and may go on for a while
	restless               // waits among those that have more to do
	severed                // the target's stream was cut, and the client will be reset when it has what there was of it
	talking                // the client has sent something since the last look, though it is severed
)

// An end is one of the two sockets of a pair.
type end struct {
	fd    int32
	life  uint32 // tells its events from those of a socket that had the same place before
	state uint8
}

// A flow is one direction of a pair.
type flow struct {
	moved int64 // bytes delivered
	rest  *rest // read but not delivered yet, or the pipe of a burst
	full  uint8 // how many reads in a row filled the buffer
	done  bool  // ended, and the end is passed on
}

// A pair is a client and its target, or the search for one. It belongs to its loop alone.
type pair struct {
	ends     [2]end
	flows    [2]flow
	seek     *seek // while there is no target yet
	line     Line  // from then on
	options  *Options
	leash    *Leash // or nil
	deadline int64  // when the timer fires
	active   int64  // when a byte moved last
	until    int64  // the longest that the client may linger
	waiting  int    // bytes that its peers had not acknowledged at the last look
	place    int32  // among the timers, or -1
	slot     uint32
	state    uint8
	promised promise
	phase    uint8  // the last time of shedding load that has looked at it
	failedAt uint8  // 1 + the end that failed first
	errno    uint16 // by what
}

// pump moves all that can be moved, in both directions, but not so much that other pairs wait for long.
func (l *Loop) pump(p *pair) {
	if p.leash.ends() {
		l.clientFailed(p, unix.ECONNABORTED)
		return
	}
	more := l.carry(p, up)
	if p.state&dead == 0 && l.carry(p, down) {
		more = true
	}
	switch {
	case p.state&dead != 0:
	case p.ends[client].state&broken != 0 && (p.flows[up].done || p.flows[up].rest != nil):
		l.clientFailed(p, sysError(p.ends[client].fd))
	case p.ends[target].state&broken != 0 && p.flows[down].done && p.state&targetGone == 0:
		l.targetFailed(p, sysError(p.ends[target].fd))
	case more && p.state&restless == 0:
		p.state |= restless
		l.again = append(l.again, p)
	}
}

// carry moves bytes in one direction and reports whether it stopped with more at hand.
func (l *Loop) carry(p *pair, i int) bool {
	f, src := &p.flows[i], &p.ends[i]
	for range rounds {
		if p.state&dead != 0 || f.rest != nil && !l.flush(p, i) || f.done || src.state&readable == 0 {
			return false
		}
		if f.rest != nil || f.splice(l.now) {
			l.fill(p, i)
			continue
		}
		n, errno := sysRecv(src.fd, l.buffer[:])
		switch {
		case errno == unix.EAGAIN && src.state&broken == 0:
			src.state &^= readable
			return false
		case errno != 0:
			l.readFailed(p, i, errno)
			return false
		case n == 0:
			l.streamEnded(p, i)
			return false
		}
		if n < len(l.buffer) && src.state&(hungUp|broken) == 0 {
			src.state &^= readable // a short read means drained; whatever comes later is another event
		}
		if i == up && p.state&targetGone != 0 {
			p.state |= talking
			continue
		}
		l.deliver(p, i, l.buffer[:n])
	}
	return p.state&dead == 0 && !f.done && src.state&readable != 0
}

// deliver writes bytes, and keeps for later what can't be written now.
func (l *Loop) deliver(p *pair, i int, bytes []byte) {
	dst := &p.ends[1-i]
	n, errno := sysSend(dst.fd, bytes)
	switch {
	case errno == unix.EAGAIN:
		n = 0
	case errno != 0:
		l.writeFailed(p, i, errno)
		return
	}
	l.note(p, i, n)
	if n < len(bytes) {
		p.flows[i].rest = keep(bytes[n:])
		l.block(p, 1-i)
	}
	p.flows[i].noteFull(len(bytes) == len(l.buffer))
}

// note counts delivered bytes.
func (l *Loop) note(p *pair, i, n int) {
	p.flows[i].moved += int64(n)
	p.active = l.now
}

// block waits for an end to take bytes again.
func (l *Loop) block(p *pair, i int) {
	e := &p.ends[i]
	e.state |= blocked
	if e.state&armed == 0 {
		e.state |= armed
		l.register(unix.EPOLL_CTL_MOD, p, i)
	}
}

func (l *Loop) readFailed(p *pair, i int, errno unix.Errno) {
	if i == client {
		l.clientFailed(p, errno)
		return
	}
	l.targetFailed(p, errno)
	l.streamEnded(p, down)
}

func (l *Loop) writeFailed(p *pair, i int, errno unix.Errno) {
	if i == down {
		l.clientFailed(p, errno)
		return
	}
	l.targetFailed(p, errno)
	p.ends[target].state |= readable | broken // its last words, then the error again
}

// streamEnded passes the end of a direction on.
func (l *Loop) streamEnded(p *pair, i int) {
	f := &p.flows[i]
	if f.rest != nil {
		f.rest.free()
		f.rest = nil
	}
	p.ends[i].state |= ended
	f.done = true
	p.active = l.now // from when on another limit may hold
	switch {
	case i == down && p.failedAt == 1+target && !receivedEnd(p.ends[target].fd, f.moved):
		l.sever(p)
	case p.flows[1-i].done && p.state&severed == 0:
		l.finish(p)
	case i == down && p.state&targetGone != 0:
		sysShutdown(p.ends[client].fd)
		l.linger(p)
	case p.state&severed == 0:
		sysShutdown(p.ends[1-i].fd)
		l.watch(p)
	}
}

// targetFailed notes an error of the target. The client still gets what came from it. A target that had ended its
// stream before has left; what the client sends afterwards is no news.
func (l *Loop) targetFailed(p *pair, errno unix.Errno) {
	if p.state&targetGone != 0 {
		return
	}
	p.state |= targetGone
	f := &p.flows[up]
	f.full = 0
	if f.rest != nil {
		f.rest.free()
		f.rest = nil
	}
	p.ends[client].state |= readable // what it still sends is thrown away
	switch {
	case !p.flows[down].done:
		l.fail(p, target, errno)
		l.yield = true
		p.line.TargetFailed()
	case p.flows[up].done:
		l.finish(p)
		return
	default:
		l.linger(p)
	}
	l.rouse(p)
}

// rouse has the pair pumped soon.
func (l *Loop) rouse(p *pair) {
	if p.state&(restless|dead) == 0 {
		p.state |= restless
		l.again = append(l.again, p)
	}
}

// clientFailed ends the pair at once. The target sees a reset, so that it cannot take a cut stream for a whole one.
func (l *Loop) clientFailed(p *pair, errno unix.Errno) {
	if p.failedAt == 0 {
		l.fail(p, client, errno)
		noLinger(p.ends[target].fd)
	}
	l.finish(p)
}

// cut ends the pair at once. Both sides see a reset, since neither has the whole stream.
func (l *Loop) cut(p *pair) {
	noLinger(p.ends[client].fd)
	noLinger(p.ends[target].fd)
	l.finish(p)
}

func (l *Loop) fail(p *pair, i int, errno unix.Errno) {
	if errno == 0 {
		errno = unix.ECONNRESET
	}
	p.failedAt, p.errno = uint8(1+i), uint16(errno)
}

// finish closes both ends and gives the pair back.
func (l *Loop) finish(p *pair) {
	result := Result{ToTarget: p.flows[up].moved, ToClient: p.flows[down].moved}
	err := os.NewSyscallError("relay", unix.Errno(p.errno))
	switch p.failedAt {
	case 1 + client:
		result.ClientErr = err
	case 1 + target:
		result.TargetErr = err
	}
	line := p.line
	p.leash.untie()
	closeBoth(p.ends[client].fd, p.ends[target].fd)
	l.drop(p)
	line.Done(result)
}
