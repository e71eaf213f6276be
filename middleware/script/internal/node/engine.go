//go:build unix

package node

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// engine is one run of a script: a process.
type engine struct {
	script         *decide.Script
	process        *process
	stdout, stderr output

	ctx    context.Context // ends when the process is to end, or has ended, with the cause of that
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when all is over

	loaded chan error    // gets the outcome of loading, of which the first one counts
	ready  atomic.Bool   // the script was loaded
	asked  chan struct{} // tells the watchdog that something was asked since it looked
	pongs  atomic.Uint32 // the number of the last ping that was answered
	base   atomic.Int64  // the memory that the process had before it loaded the script; 0 if that is not known yet
	noRoom atomic.Bool   // Node.js has said that it is out of memory
	stack  string        // of the error that the host tells of next

	local netip.AddrPort // the local end that was sent last
	wake  chan struct{}  // tells the writer that there are frames

	mu     sync.Mutex // guards frames
	frames []byte     // that are to be written
}

// Start implements decide.Runtime.
func (r *Runtime) Start(ctx context.Context, s *decide.Script) (decide.Engine, error) {
	e := &engine{
		script: s, loaded: make(chan error, 1), asked: make(chan struct{}, 1), wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	e.stdout, e.stderr = output{engine: e, level: slog.LevelInfo}, output{engine: e, level: slog.LevelWarn}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	var err error
	if e.process, err = startProcess(e.ctx, r.path, s, &e.stdout, &e.stderr); err != nil {
		return nil, err
	}
	go safely.Do("script requests", e.write, e.process.kill)
	go safely.Do("script watchdog", e.watch, e.process.kill)
	go safely.Do("script end", e.run)
	return s.Loaded(ctx, e, e.loaded)
}

// run takes the answers until the process has ended, and keeps out the clients whose fault that was.
func (e *engine) run() {
	defer close(e.done)
	defer e.process.close()
	defer e.cancel(safely.ErrPanic) // unless this comes to an end
	safely.Do("script answers", e.readAnswers, e.process.kill)
	<-e.process.exited
	safely.Reach("script end")
	e.stdout.flush()
	e.stderr.flush()
	if e.noRoom.Load() {
		e.cancel(e.tooMuch())
	}
	e.cancel(fmt.Errorf("the script's process ended: %v", e.process.command.ProcessState)) // unless there is a cause
	e.script.Blame(uint32(e.process.marked()), e.Err())
}

func (e *engine) tooMuch() error {
	return fmt.Errorf("the script took more than %d MiB of memory", e.script.Options().MemoryLimit>>20)
}

// The kinds of frames that the host gets.
const (
	load        = iota + 1 // load the script
	localEnd               // the local end of the clients from this number on
	decideAbout            // ask about a client
	left                   // a client has gone
	ping
)

// send has a frame written: its kind, a number, of four bytes with the least one first, and one end of a connection.
// The number is a client's, unless the kind says something else.
func (e *engine) send(kind byte, number uint32, end netip.AddrPort, flags byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	to := binary.LittleEndian.AppendUint32(append(e.frames, kind), number)
	to = binary.LittleEndian.AppendUint16(to, end.Port())
	to = append(to, flags, 0)
	start := len(to)
	to = decide.AppendAddress(to, end.Addr())
	to = to[:min(len(to), start+255)]
	to[start-1] = byte(len(to) - start)
	e.frames = to
	decide.Offer(e.wake, struct{}{})
}

func (e *engine) sendPlain(kind byte, number uint32) { e.send(kind, number, netip.AddrPort{}, 0) }

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
	if c.Local != e.local {
		e.local = c.Local
		e.send(localEnd, number, c.Local, 0)
	}
	e.send(decideAbout, number, c.Remote, c.Flags())
	decide.Offer(e.asked, struct{}{})
}

// Left implements decide.Engine.
func (e *engine) Left(number uint32) { e.sendPlain(left, number) }

// Done implements decide.Engine.
func (e *engine) Done() <-chan struct{} { return e.done }

// Err implements decide.Engine.
func (e *engine) Err() error { return context.Cause(e.ctx) }

// Shut implements decide.Engine. The script's process may do what it does when it ends.
func (e *engine) Shut(reason error) {
	e.cancel(reason)
	select {
	case <-e.done:
	case <-time.After(3 * patience):
	}
}

// abort kills the process.
func (e *engine) abort(cause error) {
	e.cancel(cause)
	e.process.kill()
}
