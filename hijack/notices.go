package hijack

import (
	"sync"
	"syscall"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// notices are those of all connections. layer4 tells no module when it closes a connection, so one goroutine looks at all
// of them now and then, for as long as there are any.
var notices noticeList

// lookPause is how late an end may be seen.
const lookPause = 100 * time.Millisecond

type noticeList struct {
	mu sync.Mutex
	// pending is nil while the goroutine does not run.
	pending map[*notice]struct{}
}

// notice is what to call when a connection is over.
type notice struct {
	watcher *Watcher
	socket  syscall.RawConn // is closed when the connection is over, unless a handler has hijacked it; may be nil if one has
	f       func()
}

func (n *notice) isDue() bool {
	n.watcher.mu.Lock()
	defer n.watcher.mu.Unlock()
	switch n.watcher.state {
	case hijacked:
		return false
	case over:
		return true
	}
	return n.socket.Control(func(uintptr) {}) != nil
}

func (l *noticeList) add(n *notice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pending == nil {
		l.pending = make(map[*notice]struct{})
		go safely.Do("watched connections", l.run)
	}
	l.pending[n] = struct{}{}
}

func (l *noticeList) remove(n *notice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.pending, n)
}

func (l *noticeList) run() {
	ticker := time.NewTicker(lookPause)
	defer ticker.Stop()
	for more := true; more; {
		<-ticker.C
		safely.Do("watched connections", func() { more = l.look() })
	}
}

// look gives the notices that are due, and reports whether others are left.
func (l *noticeList) look() (more bool) {
	safely.Reach("watched connections")
	due, more := l.takeDue()
	for _, n := range due {
		safely.Do("end of a watched connection", n.f)
	}
	return more
}

// takeDue takes those from the list that are due, and reports whether others are left.
func (l *noticeList) takeDue() (due []*notice, more bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range l.pending {
		if n.isDue() {
			due = append(due, n)
			delete(l.pending, n)
		}
	}
	if len(l.pending) == 0 {
		l.pending = nil
		return due, false
	}
	return due, true
}
