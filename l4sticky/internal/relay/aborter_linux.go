package relay

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// An Aborter ends the connection of a client that a loop carries. The zero value is ready for use, for one connection.
type Aborter struct {
	mu      sync.Mutex
	tied    bool
	fd      int32 // the client's socket, while tied
	aborted atomic.Bool
}

// Abort ends the connection. It may be called at any time, from any goroutine.
func (a *Aborter) Abort() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.aborted.Store(true)
	a.unsyncedShut()
}

// unsyncedShut makes an event at the client's end, which tells the loop, wherever the pair is. The lock must be held.
func (a *Aborter) unsyncedShut() {
	if a.tied && a.aborted.Load() {
		_ = unix.Shutdown(int(a.fd), unix.SHUT_RDWR)
	}
}

func (a *Aborter) tie(fd int32) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tied, a.fd = true, fd
	a.unsyncedShut()
}

// untie comes before the client's socket is closed.
func (a *Aborter) untie() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tied = false
}

// ends reports whether the connection is to end.
func (a *Aborter) ends() bool { return a != nil && a.aborted.Load() }
