//go:build unix

package node

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

const (
	// startLimit is how long Node.js may take to start on a busy machine.
	startLimit = 5 * time.Second
	// patience is how long a process may take to end by itself, and what it wrote to arrive.
	patience = 250 * time.Millisecond
)

// engine is one run of a script: a process.
type engine struct {
	script  *decide.Script
	process *process

	loaded       chan error    // gets the outcome of loading
	ready        atomic.Bool   // it was loaded
	active       atomic.Bool   // something was asked since the watchdog looked
	wakeWatchdog chan struct{} // wakes the watchdog
	pings        atomic.Uint32
	pongs        atomic.Uint32 // the number of the last ping that was answered
	base         atomic.Int64  // the memory that the process had before it loaded the script; 0 if that is not known yet
	noRoom       atomic.Bool   // Node.js has said that it is out of memory

	readers sync.WaitGroup // of what the process writes
	workers sync.WaitGroup // the others, which end with the process
	done    chan struct{}
	err     error // valid after done is closed

	wake chan struct{} // tells the writer that there are frames

	mu      sync.Mutex     // guards what follows
	failure error          // why the process was ended
	frames  []byte         // that are to be written
	local   netip.AddrPort // the local end that was written last
}

// send appends frames to those that are to be written.
func (e *engine) send(add func(to []byte) []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.frames = add(e.frames); e.failure != nil {
		e.frames = nil
	}
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *engine) sendPlain(kind byte, number uint32) {
	e.send(func(to []byte) []byte { return appendFrame(to, kind, number) })
}

// write writes frames, those together that have come meanwhile.
func (e *engine) write() {
	var written []byte
	for {
		select {
		case <-e.wake:
		case <-e.process.exited:
			return
		}
		safely.Reach("script requests")
		e.mu.Lock()
		written, e.frames = e.frames, written[:0]
		e.mu.Unlock()
		if _, err := e.process.requests.Write(written); err != nil {
			return // the process has ended, or is about to
		}
	}
}

// Decide implements decide.Engine.
func (e *engine) Decide(number uint32, c *decide.Client) {
	e.send(func(to []byte) []byte {
		if c.Local != e.local {
			e.local = c.Local
			to = appendEnd(to, localEnd, 0, e.local, 0)
		}
		return appendEnd(to, decideAbout, number, c.Remote, c.Flags())
	})
	if !e.active.Swap(true) {
		select {
		case e.wakeWatchdog <- struct{}{}:
		default:
		}
	}
}

// Left implements decide.Engine.
func (e *engine) Left(number uint32) { e.sendPlain(left, number) }

// Done implements decide.Engine.
func (e *engine) Done() <-chan struct{} { return e.done }

// Err implements decide.Engine.
func (e *engine) Err() error { return e.err }

// Shut implements decide.Engine. The script's process may do what it does when it ends.
func (e *engine) Shut(reason error) {
	if e.fail(reason) {
		e.process.requests.Close()
		select {
		case <-e.process.exited:
		case <-time.After(patience):
		}
	}
	e.process.kill()
	select {
	case <-e.done:
	case <-time.After(2 * patience):
	}
}

// fail notes why the process is ended and reports whether nothing was noted before.
func (e *engine) fail(cause error) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failure != nil {
		return false
	}
	e.failure = cause
	return true
}

// abort kills the process.
func (e *engine) abort(cause error) {
	e.fail(cause)
	e.process.kill()
}
