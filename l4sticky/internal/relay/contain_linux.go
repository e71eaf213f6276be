package relay

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var errPanic = errors.New("internal error")

// contain keeps the loop alive when something panics, and ends the pair at fault.
func (l *Loop) contain() {
	cause := recover()
	if cause == nil {
		return
	}
	report("panic in a connection", fmt.Errorf("%v\n%s", cause, debug.Stack()))
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
	defer func() { _ = recover() }() // what has failed may fail again
	for _, f := range flights {
		if f.fd >= 0 {
			sysClose(f.fd)
		}
		route.Dropped(f.dial)
	}
	if line != nil {
		line.Done(Result{ClientErr: errPanic})
	} else if route != nil {
		route.Lost(errPanic)
	}
}
