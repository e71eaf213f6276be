package connect

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// A DialFunc connects to a target.
type DialFunc func(context.Context, search.Dial) (net.Conn, error)

// Find finds a target for a connection that no loop can carry, and returns the connection to it. If there is none, the
// picker is told by Lost, and the connection is nil. A dial is to end by itself when the context that it gets does.
func Find(picker search.Picker, options *Options, dial DialFunc) (net.Conn, flow.Established) {
	w := newWaiter(options, dial)
	w.search.Begin(picker, w.wake, times(options))
	return w.seek()
}

// Resume is Find for a connection that had a target, to which it comes back if there is no other one. It takes that target's
// connection over. The search ends when the client has gone, which a closed channel tells.
func Resume(picker search.Picker, options *Options, dial DialFunc, had search.Dial, conn net.Conn, gone <-chan struct{}) (net.Conn, flow.Established) {
	w := newWaiter(options, dial)
	w.gone = gone
	id := w.search.Resume(picker, w.wake, times(options), had)
	w.dials = []*pendingDial{{id: id, dial: had, cancel: func() {}, landed: true, conn: conn}}
	return w.seek()
}

func newWaiter(options *Options, dial DialFunc) *waiter {
	return &waiter{dial: dial, timeout: options.Timeout, results: make(chan *pendingDial), wake: make(wakeup, 1)}
}

// times returns the times of a search: the dial itself knows best when its time is over, and with what error.
func times(options *Options) search.Times {
	return search.Times{Timeout: options.Timeout + dialGrace, Late: options.Late}
}

// seek runs the search, and lets go of all that is not taken, also after a panic.
func (w *waiter) seek() (conn net.Conn, established flow.Established) {
	safely.Do("search", func() { conn, established = w.run() })
	if established == nil {
		w.search.Abandon() // does nothing but after a panic
	}
	for _, d := range slices.Clone(w.dials) { // after a panic
		w.close(d)
	}
	if n := w.orphans; n > 0 {
		go safely.Do("drain", func() { w.drain(n) })
	}
	return conn, established
}

// A waiter is the goroutine that waits in Find.
type waiter struct {
	dial    DialFunc
	timeout time.Duration
	search  search.Search
	dials   []*pendingDial
	orphans int // dials that are closed, and whose outcome is not known yet
	results chan *pendingDial
	wake    wakeup
	gone    <-chan struct{} // is closed when the client has gone, or nil
}

// A pendingDial is a dial under way, or one that was accepted.
type pendingDial struct {
	id     search.ID
	dial   search.Dial
	cancel context.CancelFunc
	landed bool // its outcome is known
	closed bool // its outcome does not matter any more
	conn   net.Conn
	err    error
}

// A wakeup wakes a search.
type wakeup chan struct{}

// Wake makes the search ask its picker again.
func (w wakeup) Wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}

var started = time.Now()

// dialGrace is how much longer than its time-out a dial may take to tell that it has failed.
const dialGrace = time.Second

// run carries out what the search says, until it is over.
func (w *waiter) run() (net.Conn, flow.Established) {
	for {
		switch a := w.search.Next(time.Since(started)); a.Kind {
		case search.Connect:
			w.launch(a)
		case search.Close:
			w.close(w.find(a.ID))
		case search.Take:
			d := w.find(a.ID)
			w.forget(d)
			return d.conn, a.Established
		case search.GiveUp:
			w.search.Lost()
			return nil, nil
		case search.Wait:
			w.wait(a.Until)
		}
	}
}

// wait waits for an event or a time.
func (w *waiter) wait(until time.Duration) {
	timer := time.NewTimer(min(until-time.Since(started), time.Hour))
	defer timer.Stop()
	select {
	case d := <-w.results: // what has happened comes before what has not happened in time
		w.land(d)
		return
	default:
	}
	select {
	case <-timer.C:
	case <-w.gone:
		w.gone = nil
		w.search.ClientGone()
	case <-w.wake:
		w.search.Woken()
	case d := <-w.results:
		w.land(d)
	}
}

func (w *waiter) launch(a search.Action) {
	ctx, cancel := context.WithTimeout(context.Background(), w.timeout)
	d := &pendingDial{id: a.ID, dial: a.Dial, cancel: cancel}
	w.dials = append(w.dials, d)
	go safely.Do("dial", func() { w.connect(ctx, d) })
}

func (w *waiter) connect(ctx context.Context, d *pendingDial) {
	defer d.cancel()
	d.err = safely.ErrPanic // unless the dial comes to an end
	defer func() { w.results <- d }()
	safely.Reach("dial")
	d.conn, d.err = w.dial(ctx, d.dial)
}

// land looks at a dial that has come to an end.
func (w *waiter) land(d *pendingDial) {
	d.landed = true
	switch {
	case d.closed:
		w.orphans--
		d.discard()
	case d.err != nil:
		w.forget(d)
		w.search.Failed(d.id, d.err)
	default:
		if at, ok := d.conn.RemoteAddr().(*net.TCPAddr); ok {
			w.search.Dials(d.id, at.AddrPort())
		}
		w.search.Accepted(d.id)
	}
}

// close gives a dial up.
func (w *waiter) close(d *pendingDial) {
	w.forget(d)
	d.closed = true
	d.cancel()
	if d.landed {
		d.discard()
	} else {
		w.orphans++
	}
}

func (d *pendingDial) discard() {
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

func (w *waiter) find(id search.ID) *pendingDial {
	return w.dials[slices.IndexFunc(w.dials, func(d *pendingDial) bool { return d.id == id })]
}

func (w *waiter) forget(d *pendingDial) {
	w.dials = slices.DeleteFunc(w.dials, func(other *pendingDial) bool { return other == d })
}

// drain takes the last word of dials that were given up.
func (w *waiter) drain(dials int) {
	for range dials {
		d := <-w.results
		d.discard()
	}
}
