package eventloop

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Whether a loop has a leader.
const (
	vacant   = iota // there is nothing to do
	led             // a goroutine runs the turns
	expected        // the Accept that led has just returned, and is expected back
)

// patience is how long the caller of an Accept may stay away before another goroutine leads.
const patience = 10 * time.Millisecond

const (
	// largeBatch is how many accepted connections are returned without waiting for more.
	largeBatch = 32
	// batchTurns is for how many turns of a busy loop they may wait.
	batchTurns = 4
)

// A leader decides which goroutine runs the turns of a loop, one at a time: best the one that waits in Accept, because
// then what it accepts and what comes of it need no other thread; or a goroutine of the loop's own, for as long as there
// are tasks. The other ones that wait in Accept are followers. (Leader/Followers is a pattern of Schmidt, O'Ryan,
// Pyarali, Kircher and Buschmann, 2000.)
type leader struct {
	loop  *Loop
	state atomic.Int32 // changes with mu held, and is read without

	mu       sync.Mutex
	own      bool        // the loop's own goroutine leads
	waiting  []*Follower // whose Accept waits to lead, or for a connection
	turns    uint64      // how often an Accept has begun to lead
	seen     uint64      // what turns was when the watchdog looked last
	watchdog *time.Timer // sees to it that a loop is not forgotten whose leader is expected back
	armed    bool

	// wanted asks the loop's own goroutine to let an Accept lead.
	wanted atomic.Bool
}

// A Follower is what an Accept waits with. Its queue is the caller's, which tells how long that is.
type Follower struct {
	wake   chan struct{} // gets a value when there is a reason to look again
	queued atomic.Int32
	closed atomic.Bool
}

// NewFollower returns the follower of a listener.
func NewFollower() *Follower { return &Follower{wake: make(chan struct{}, 1)} }

// Signal makes an Accept look again.
func (f *Follower) Signal() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// SetQueued tells how many connections wait for Accept.
func (f *Follower) SetQueued(n int) { f.queued.Store(int32(n)) }

// Queued returns how many connections wait for Accept.
func (f *Follower) Queued() int { return int(f.queued.Load()) }

// Close tells that the listener is closed, and reports false if it was closed before.
func (f *Follower) Close() bool { return !f.closed.Swap(true) }

// Closed reports whether the listener is closed.
func (f *Follower) Closed() bool { return f.closed.Load() }

// Leads reports whether the listener's Accept leads the loop now.
func (f *Follower) Leads(l *Loop) bool { return l.follower == f }

func (d *leader) init(l *Loop) {
	d.loop = l
	d.watchdog = time.AfterFunc(time.Hour, safely.Func("loop watchdog", d.watch, func() { d.watchdog.Reset(patience) }))
	d.watchdog.Stop()
}

// ensure makes sure that a goroutine leads, or soon will.
func (d *leader) ensure() {
	if d.state.Load() != vacant {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state.Load() == vacant {
		d.unsyncedPass()
	}
}

// unsyncedPass chooses a leader, since there is none. The lock must be held.
func (d *leader) unsyncedPass() {
	if len(d.waiting) > 0 {
		d.unsyncedExpect()
		d.waiting[0].Signal()
		return
	}
	if d.own = d.unsyncedContinue(); d.own {
		go safely.Do("loop", d.loop.run)
	}
}

// unsyncedContinue notes that the loop is led if there is anything to do, else that it is not. The lock must be held.
func (d *leader) unsyncedContinue() bool {
	d.state.Store(vacant)
	if !d.loop.busy() { // a post after this look finds the loop vacant
		return false
	}
	d.state.Store(led)
	return true
}

// unsyncedExpect leaves the lead to an Accept that is about to come. The lock must be held.
func (d *leader) unsyncedExpect() {
	d.own = false
	d.state.Store(expected)
	if !d.armed {
		d.armed, d.seen = true, d.turns
		d.watchdog.Reset(patience)
	}
}

// busy reports whether the loop has anything to do or to wait for.
func (l *Loop) busy() bool {
	if l.tasks.Load() > 0 {
		return true
	}
	l.inbox.Lock()
	defer l.inbox.Unlock()
	return len(l.inbox.functions)+len(l.inbox.tasks) > 0
}

// run leads the loop until there is nothing left to do or an Accept wants to lead.
func (l *Loop) run() {
	l.follower = nil
	for turns := 0; !l.leader.leave(); turns++ {
		l.turn()
		if turns%64 == 0 {
			runtime.Gosched() // a busy loop would keep other goroutines of this core waiting
		}
	}
}

// leave reports whether the loop's own goroutine is to end.
func (d *leader) leave() bool {
	if !d.wanted.Load() && d.loop.busy() {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted.Store(false)
	if len(d.waiting) > 0 {
		d.unsyncedExpect()
		d.waiting[0].Signal()
		return true
	}
	d.own = d.unsyncedContinue()
	return !d.own
}

// Follow runs turns until the follower's Accept has something to return, or waits for that if another goroutine leads.
func (l *Loop) Follow(f *Follower) { l.leader.follow(f) }

func (d *leader) follow(f *Follower) {
	d.mu.Lock()
	before := d.state.Load()
	if before == led {
		d.waiting = append(d.waiting, f)
		if d.own {
			d.wanted.Store(true)
			d.loop.Nudge()
		}
		d.mu.Unlock()
		<-f.wake
		d.mu.Lock()
		i := slices.Index(d.waiting, f) // one of its Accepts is as good as another
		d.waiting = slices.Delete(d.waiting, i, i+1)
		d.mu.Unlock()
		if f.closed.Load() || f.queued.Load() > 1 {
			f.Signal() // the next of its Accepts, if several wait
		}
		return
	}
	d.state.Store(led)
	d.own = false
	d.turns++
	d.mu.Unlock()

	defer d.handOn(f)
	d.loop.follower = f
	d.loop.yield = d.loop.yield || before == expected // let those begin who handle what was accepted
	d.loop.gather(f)
}

// handOn ends the lead of a follower.
func (d *leader) handOn(f *Follower) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.closed.Load() {
		d.unsyncedPass()
		return
	}
	d.unsyncedExpect()
}

// gather runs turns until the listener has something to return. Where other cores are idle, each connection that is
// returned alone wakes a thread to handle it, so they are returned together when the loop has nothing else to do; but
// none waits for more than a few turns.
func (l *Loop) gather(f *Follower) {
	for waited := 0; !f.closed.Load(); {
		if n := f.queued.Load(); n > 0 {
			if waited++; n >= largeBatch || l.quiet || waited > batchTurns {
				return
			}
		}
		l.turn()
	}
}

// watch has another goroutine lead when the caller of an Accept does not come back.
func (d *leader) watch() {
	safely.Reach("loop watchdog")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed = false
	switch {
	case d.state.Load() != expected:
	case d.turns == d.seen:
		d.unsyncedPass()
	default:
		d.armed, d.seen = true, d.turns
		d.watchdog.Reset(patience)
	}
}
