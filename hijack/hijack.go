package hijack

import (
	"net"
	"sync"
	"time"

	"github.com/mholt/caddy-l4/layer4"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// variable is the connection's variable that has its Watcher.
const variable = "hijack.watcher"

// closePause is how long a handler may go on with a connection that was ended under its hands.
const closePause = time.Second

// A Watcher tells when one connection is over, and ends it.
type Watcher struct {
	conn net.Conn

	mu    sync.Mutex // guards what follows
	state state
	abort func() // of the handler that has hijacked the connection
}

type state int

const (
	handled  state = iota // by layer4
	ended                 // by End, and still handled by layer4
	hijacked              // by a handler
	over
)

// Watch returns the connection's Watcher, which is the same one for all who ask.
func Watch(cx *layer4.Connection) *Watcher {
	if w := watcherOf(cx); w != nil {
		return w
	}
	w := &Watcher{conn: cx.Conn}
	cx.SetVar(variable, w)
	return w
}

// Watched reports whether a module watches the connection, for handlers that can save something if not.
func Watched(cx *layer4.Connection) bool { return watcherOf(cx) != nil }

// Hijack is called by a handler that keeps the connection, or its socket, after it has returned. Watchers call abort to
// end the connection, at any time from then on, more than once and from any goroutine, even before Hijack returns; abort
// must not wait. The handler calls done, which is never nil, when the connection is over.
func Hijack(cx *layer4.Connection, abort func()) (done func()) {
	w := watcherOf(cx)
	if w == nil {
		return func() {}
	}
	w.mu.Lock()
	wasEnded := w.state == ended
	w.state, w.abort = hijacked, abort
	w.mu.Unlock()
	if wasEnded {
		abort()
	}
	return w.done
}

func watcherOf(cx *layer4.Connection) *Watcher {
	w, _ := cx.GetVar(variable).(*Watcher)
	return w
}

func (w *Watcher) done() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state, w.abort = over, nil
}

// End ends the connection, be it layer4's or hijacked. It does not wait, and may be called again.
//
// layer4 and its handlers get a second to notice the end of the stream, since they would log an error of a connection that
// is closed under their hands.
func (w *Watcher) End() {
	if abort := w.end(); abort != nil {
		abort() // the handler knows why before it sees the end of the stream
	}
	connchain.Shutdown(w.conn)
	time.AfterFunc(closePause, safely.Func("end of a watched connection", func() { _ = connchain.Bottom(w.conn).Close() }))
}

// end notes that the connection is to end, and returns how the handler ends it that has hijacked it.
func (w *Watcher) end() (abort func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.state == handled {
		w.state = ended
	}
	return w.abort
}

// OnEnd has f called once, in a goroutine that it must not hold up, when the connection is over; that may be noticed a
// tenth of a second late. The function that it returns takes that back. If the end of the connection can't be seen, since
// there is no socket at its bottom and it was not hijacked before, f is never called.
func (w *Watcher) OnEnd(f func()) (stop func()) {
	n := &notice{watcher: w, socket: connchain.Socket(w.conn), f: f}
	if n.socket == nil && !w.isHijacked() {
		return func() {}
	}
	notices.add(n)
	return func() { notices.remove(n) }
}

func (w *Watcher) isHijacked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state >= hijacked
}
