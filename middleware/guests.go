package middleware

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// guests are the connections that were let in and whose end somebody wants to know. Layer4 tells nobody when it
// closes a connection, so one goroutine looks at all of them now and then, for as long as there are any.
var guests guestList

// guestPause is how late an end may be seen.
const guestPause = 100 * time.Millisecond

// kickPause is how long a handler may go on with a client that was kicked.
const kickPause = time.Second

type guestList struct {
	mu sync.Mutex
	// following has what to call when a connection is over. It is nil while the goroutine does not run.
	following map[*guest]func()
}

// guest is a socket that is closed when its connection is over, unless a handler has taken that over.
type guest struct {
	socket   syscall.RawConn // or nil, if the connection was handed over before it was followed
	handover *handover
}

// over reports whether the connection is.
func (g *guest) over() bool {
	switch g.handover.state.Load() {
	case handedOver:
		return false
	case done:
		return true
	}
	return g.socket.Control(func(uintptr) {}) != nil
}

// handoverVar is the connection's variable that a handler looks for which keeps a connection longer than it handles
// it.
const handoverVar = "sticky.handover"

// A handover tells what has become of a connection that a handler has taken over.
type handover struct {
	state atomic.Int32
	mu    sync.Mutex
	taker func() // ends the connection, if it was taken over
}

const (
	handedOver = 1 + iota
	done
)

// TakeOver is called by the handler before layer4 closes what is left of the connection, with what ends the connection
// from then on, however often it is called. The function that it returns is to be called when the connection is over.
func (h *handover) TakeOver(kick func()) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state.Store(handedOver)
	h.taker = kick
	return func() { h.state.Store(done) }
}

// kick ends a connection, whoever has it. Layer4 and its handlers get a while to notice, since they would log an error
// of a connection that is closed under their hands; one that has been taken over is not theirs any more.
func (h *handover) kick(conn net.Conn) {
	shut(conn)
	time.AfterFunc(kickPause, safely.Func("kick", func() { _ = connchain.Bottom(conn).Close() }))
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taker != nil {
		h.taker()
	}
}

// follow has f called, in a goroutine that it must not hold up, when a connection is over. The function that
// it returns takes that back.
func (l *guestList) follow(conn net.Conn, h *handover, f func()) (stop func()) {
	g := &guest{connchain.Socket(conn), h}
	if g.socket == nil && h.state.Load() == 0 {
		return func() {} // its end cannot be seen
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.following == nil {
		l.following = make(map[*guest]func())
		go safely.Do("guests", l.watch)
	}
	l.following[g] = f
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.following, g)
	}
}

func (l *guestList) watch() {
	ticker := time.NewTicker(guestPause)
	defer ticker.Stop()
	for more := true; more; {
		<-ticker.C
		safely.Do("guests", func() { more = l.look() })
	}
}

// look tells of the connections that are over, and reports whether others are left.
func (l *guestList) look() (more bool) {
	safely.Reach("guests")
	ended, more := l.ended()
	for _, f := range ended {
		safely.Do("guest", f)
	}
	return more
}

// ended takes those from the list whose connections are over, and reports whether others are left.
func (l *guestList) ended() (ended []func(), more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for g, f := range l.following {
		if g.over() {
			ended = append(ended, f)
			delete(l.following, g)
		}
	}
	if len(l.following) == 0 {
		l.following = nil
		return ended, false
	}
	return ended, true
}
