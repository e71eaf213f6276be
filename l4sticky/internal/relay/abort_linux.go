package relay

import "sync"

// Abort resets the connections whose Line, or Route while there is none, is one of those. It returns when that is done.
func Abort(which func(owner any) bool) {
	abortRelays(which)
	var wait sync.WaitGroup
	for _, l := range allLoops() {
		wait.Add(1)
		l.post(func() {
			defer wait.Done()
			l.abort(which)
		})
	}
	wait.Wait()
}

// abort is Abort for the pairs of the loop.
func (l *Loop) abort(which func(owner any) bool) {
	for _, p := range l.slots {
		switch l.current = p; {
		case p == nil:
		case p.seek != nil && which(p.seek.route):
			noLinger(p.ends[client].fd)
			l.lose(p, ErrClientLeft)
		case p.line != nil && which(p.line):
			l.cut(p)
		}
	}
}
