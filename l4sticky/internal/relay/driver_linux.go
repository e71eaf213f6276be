package relay

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Who runs the turns of a loop.
const (
	nobody = iota // there is nothing to do
	driven
	lent // the Accept that did has just returned, and its caller is expected back
)

// patience is how long the caller of an Accept may stay away before another one takes the wheel.
const patience = 10 * time.Millisecond

const (
	// largeBatch is how many accepted connections are returned without waiting for more.
	largeBatch = 32
	// batchTurns is for how many turns of a busy loop they may wait.
	batchTurns = 4
)

// A driver decides who runs the turns of a loop, which is one goroutine at a time: best the one that waits in Accept,
// because then what it accepts and what comes of it need no other thread; or a goroutine of the loop's own, for as
// long as there are pairs.
type driver struct {
	loop  *Loop
	state atomic.Int32 // changes with mu held, and is read without

	mu      sync.Mutex
	own     bool        // the loop's own goroutine drives
	waiting []*Listener // whose Accept waits for the wheel, or for a connection
	turns   uint64      // how often an Accept has taken the wheel
	seen    uint64      // what turns was when the keeper looked last
	keeper  *time.Timer // sees to it that a loop that was lent is not forgotten
	armed   bool

	// wanted asks the loop's own goroutine to leave the wheel to an Accept.
	wanted atomic.Bool
}

func (d *driver) init(l *Loop) {
	d.loop = l
	d.keeper = time.AfterFunc(time.Hour, safely.Func("loop keeper", d.keep, func() { d.keeper.Reset(patience) }))
	d.keeper.Stop()
}

// ensure makes sure that somebody drives, or soon will.
func (d *driver) ensure() {
	if d.state.Load() != nobody {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state.Load() == nobody {
		d.unsyncedPass()
	}
}

// unsyncedPass gives the wheel, which nobody holds, to whom it suits. The lock must be held.
func (d *driver) unsyncedPass() {
	if len(d.waiting) > 0 {
		d.unsyncedLend()
		d.waiting[0].signal()
		return
	}
	if d.own = d.unsyncedKeep(); d.own {
		go safely.Do("loop", d.loop.run)
	}
}

// unsyncedKeep notes that the loop is driven if there is anything to do, else that it is not. The lock must be held.
func (d *driver) unsyncedKeep() bool {
	d.state.Store(nobody)
	if !d.loop.busy() { // who posts after this look finds nobody at the wheel
		return false
	}
	d.state.Store(driven)
	return true
}

// unsyncedLend leaves the wheel to an Accept that is about to come. The lock must be held.
func (d *driver) unsyncedLend() {
	d.own = false
	d.state.Store(lent)
	if !d.armed {
		d.armed, d.seen = true, d.turns
		d.keeper.Reset(patience)
	}
}

// busy reports whether the loop has anything to do or to wait for.
func (l *Loop) busy() bool {
	if l.pairs.Load() > 0 {
		return true
	}
	l.inbox.Lock()
	defer l.inbox.Unlock()
	return len(l.inbox.functions)+len(l.inbox.arrivals) > 0
}

// run drives the loop until there is nothing left to do or an Accept wants to.
func (l *Loop) run() {
	l.accepting = nil
	for turns := 0; !l.driver.leave(); turns++ {
		l.turn()
		if turns%64 == 0 {
			runtime.Gosched() // a busy loop would keep other goroutines of this core waiting
		}
	}
}

// leave reports whether the loop's own goroutine is to end.
func (d *driver) leave() bool {
	if !d.wanted.Load() && d.loop.busy() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted.Store(false)
	if len(d.waiting) > 0 {
		d.unsyncedLend()
		d.waiting[0].signal()
		return true
	}
	d.own = d.unsyncedKeep()
	return !d.own
}

// drive runs turns until the listener has something to return, or waits for that if somebody else drives.
func (d *driver) drive(ln *Listener) {
	d.mu.Lock()
	before := d.state.Load()
	if before == driven {
		d.waiting = append(d.waiting, ln)
		if d.own {
			d.wanted.Store(true)
			d.loop.nudge()
		}
		d.mu.Unlock()
		<-ln.wake
		d.mu.Lock()
		i := slices.Index(d.waiting, ln) // one of its Accepts is as good as another
		d.waiting = slices.Delete(d.waiting, i, i+1)
		d.mu.Unlock()
		if ln.closed.Load() || ln.queued.Load() > 1 {
			ln.signal() // the next of its Accepts, if several wait
		}
		return
	}
	d.state.Store(driven)
	d.own = false
	d.turns++
	d.mu.Unlock()

	defer d.handOn(ln)
	d.loop.accepting = ln
	d.loop.yield = d.loop.yield || before == lent // let those begin who handle what was accepted
	d.loop.gather(ln)
}

// handOn leaves the wheel, which an Accept of the listener has.
func (d *driver) handOn(ln *Listener) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ln.closed.Load() {
		d.unsyncedPass()
		return
	}
	d.unsyncedLend()
}

// gather runs turns until the listener has something to return. Where other cores are idle, each connection that is
// returned alone wakes a thread to handle it, so they are returned together when the loop has nothing else to do; but
// none waits for more than a few turns.
func (l *Loop) gather(ln *Listener) {
	for waited := 0; !ln.closed.Load(); {
		if n := ln.queued.Load(); n > 0 {
			if waited++; n >= largeBatch || l.quiet || waited > batchTurns {
				return
			}
		}
		l.turn()
	}
}

// keep takes the wheel from an Accept whose caller does not come back.
func (d *driver) keep() {
	safely.Reach("loop keeper")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = false
	switch {
	case d.state.Load() != lent:
	case d.turns == d.seen:
		d.unsyncedPass()
	default:
		d.armed, d.seen = true, d.turns
		d.keeper.Reset(patience)
	}
}
