package relay

import "github.com/caddy-sticky/caddy-sticky/internal/safely"

// contain keeps the loop alive when something panics, and ends the pair at fault.
func (l *Loop) contain() {
	fault := recover()
	if fault == nil {
		return
	}
	safely.Report("loop", fault)
	p := l.current
	if p == nil || p.state&dead != 0 {
		return
	}
	p.state |= dead
	p.leash.untie()
	for _, e := range p.ends {
		if e.fd >= 0 {
			sysClose(e.fd)
		}
	}
	route, line, flights := Route(nil), p.line, []flight(nil)
	if p.seek != nil {
		route, flights = p.seek.route, p.seek.all()
	}
	l.drop(p)
	for _, f := range flights {
		if f.fd >= 0 {
			sysClose(f.fd)
		}
	}
	dropAll(route, flights)
	safely.Do("end after a panic", func() { // what has failed may fail again
		if line != nil {
			line.Done(Result{ClientErr: safely.ErrPanic})
		} else if route != nil {
			route.Lost(safely.ErrPanic)
		}
	})
}

// dropAll tells the route of dials that are given up. That one of them fails it takes nothing from the others.
func dropAll(route Route, flights []flight) {
	for _, f := range flights {
		safely.Do("drop", func() { route.Dropped(f.dial) })
	}
}
