package relay

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Leash lets somebody else end the connection of a client that a loop carries. The zero value is ready for use, for
// one connection.
type Leash struct {
	mu     sync.Mutex
	tied   bool
	fd     int32 // the client's socket, while tied
	pulled atomic.Bool
}

// Pull ends the connection. It may be called at any time, from anywhere.
func (t *Leash) Pull() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pulled.Store(true)
	t.unsyncedShut()
}

// unsyncedShut makes an event at the client's end, which tells the loop, wherever the pair is. The lock must be held.
func (t *Leash) unsyncedShut() {
	if t.tied && t.pulled.Load() {
		_ = unix.Shutdown(int(t.fd), unix.SHUT_RDWR)
	}
}

func (t *Leash) tie(fd int32) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tied, t.fd = true, fd
	t.unsyncedShut()
}

// untie comes before the client's socket is closed.
func (t *Leash) untie() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tied = false
}

// ends reports whether the connection is to end.
func (t *Leash) ends() bool { return t != nil && t.pulled.Load() }
