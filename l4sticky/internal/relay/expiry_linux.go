package relay

// linger lets a client go on for a while whose target is gone. Closing at once would answer its bytes with a reset,
// which can destroy the target's last words before the client has them.
func (l *Loop) linger(p *pair) {
	p.state |= lingering
	p.until = l.now + int64(maxLinger)
	l.timers.set(p, l.now+int64(linger))
}

// watch sets the timer for a connection that may not be silent for ever.
func (l *Loop) watch(p *pair) {
	if p.state&lingering != 0 {
		return
	}
	if limit := p.options.limit(p.flows[up].done || p.flows[down].done); limit > 0 {
		l.timers.set(p, p.active+int64(limit))
	}
}

// expire is called when the pair's deadline has come.
func (l *Loop) expire(p *pair) {
	switch {
	case p.seek != nil:
		l.advance(p)
	case p.state&lingering != 0:
		if l.now < p.until && sysUnacknowledged(p.ends[client].fd) > 0 {
			l.timers.set(p, l.now+int64(linger))
			return
		}
		l.finish(p)
	case l.now-p.active >= int64(p.options.limit(p.flows[up].done || p.flows[down].done)):
		l.finish(p)
	default:
		l.watch(p)
	}
}
