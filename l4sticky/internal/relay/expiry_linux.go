package relay

import "time"

// linger lets a client go on for a while whose target is gone. Closing at once would answer its bytes with a reset,
// which can destroy the target's last words before the client has them.
func (l *Loop) linger(p *pair) {
	p.state |= lingering
	p.until = l.now + int64(maxLinger)
	l.timers.set(p, l.now+int64(linger))
}

// sever ends the connection of a client whose target's stream was cut, with a reset, so that it cannot take the stream
// for a whole one. What came of it is delivered first.
func (l *Loop) sever(p *pair) {
	p.state = p.state&^talking | lingering | severed
	p.until = l.now + int64(maxLinger)
	l.timers.set(p, l.now)
	l.rouse(p)
}

// watch sets the timer for a connection that may not be silent for ever.
func (l *Loop) watch(p *pair) {
	if p.state&lingering != 0 {
		return
	}
	if limit := p.limit(); limit > 0 {
		p.waiting = 0
		l.timers.set(p, p.active+limit/idleLooks)
	}
}

// limit returns how long the pair may be silent, or 0.
func (p *pair) limit() int64 {
	return int64(p.options.limit(p.flows[up].done || p.flows[down].done))
}

// expire is called when the pair's deadline has come.
func (l *Loop) expire(p *pair) {
	switch {
	case p.seek != nil:
		l.advance(p)
	case p.state&severed != 0:
		l.lookAtSevered(p)
	case p.state&lingering != 0:
		if l.now < p.until && sysUnacknowledged(p.ends[client].fd) > 0 {
			l.timers.set(p, l.now+int64(linger))
			return
		}
		l.finish(p)
	default:
		l.lookAtSilent(p)
	}
}

// lookAtSevered resets the client when it has acknowledged all and is silent, or has had time enough.
func (l *Loop) lookAtSevered(p *pair) {
	since := time.Duration(l.now - (p.until - int64(maxLinger)))
	pause, over := severance(since, sysUnacknowledged(p.ends[client].fd) > 0, p.state&talking != 0)
	if over {
		l.cut(p)
		return
	}
	p.state &^= talking
	l.timers.set(p, l.now+int64(pause))
}

// lookAtSilent ends a connection on which no byte has moved for too long. Bytes that a slow peer takes from what was sent
// before count.
func (l *Loop) lookAtSilent(p *pair) {
	limit := p.limit()
	part := max(limit/idleLooks, 1)
	silent := l.now - p.active
	if limit <= 0 || silent < part {
		l.watch(p)
		return
	}
	before := p.waiting
	p.waiting = sysUnacknowledged(p.ends[client].fd) + sysUnacknowledged(p.ends[target].fd)
	switch {
	case p.waiting < before:
		p.active = l.now
		l.timers.set(p, l.now+part)
	case silent >= limit:
		l.cut(p)
	default:
		l.timers.set(p, p.active+(silent/part+1)*part)
	}
}
