// Package relay carries the bytes of a connection between a client and its target.
package relay

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// A client may go on sending for a while after its target is gone. Closing at once would answer those
// bytes with a reset, which can destroy the target's last words before the client has them.
const (
	linger    = 2 * time.Second
	maxLinger = 30 * time.Second // for a client that has not received everything yet
)

// idleLooks is how often a silent connection is looked at until it has been silent for too long. What its peers
// acknowledge meanwhile is seen late by one of these parts at most.
const idleLooks = 4

// stallCheck is how often a direction that waits for the target to read looks whether the client is
// still there.
const stallCheck = time.Second

// past is a deadline that interrupts whoever waits.
var past = time.Unix(1, 0)

// Result tells what a relay carried and what ended it.
type Result struct {
	// ToTarget and ToClient are the bytes that were delivered to each side.
	ToTarget, ToClient int64
	// ClientErr is the error of the client's connection that ended the relay, if one did: usually
	// that the client reset it.
	ClientErr error
	// TargetErr is the same for the target's connection. At most one of the two is set; an error that
	// follows from the first is not one.
	TargetErr error
}

// closeWriter is a connection that can end one direction.
type closeWriter interface{ CloseWrite() error }

// Run carries bytes between client and target, both ways, until both directions are done: first the
// early bytes, which were read from the client before, then all that comes. It returns when nothing
// uses the connections any more; closing them is the caller's.
//
// The end of one direction is passed on and the other goes on (half-close); to a connection that has no
// CloseWrite it is the end of both. Nothing is read that was not written yet (back-pressure). An
// error of the client ends both directions at once and makes a TCP target see a reset, so that it
// cannot take a cut stream for a whole one. After an error of the target the client still gets
// what the target had sent, and a reset then. A connection that is silent for too long is reset at
// both ends. The line is told of the error and of the end.
//
// A wrapped connection can have a method Socket() net.Conn that returns the plain connection at its bottom, by
// which the system tells of a reset and of bytes on their way.
//
// The first bytes of the early ones may be another's than the client's: so many as announced says.
func Run(client, target net.Conn, early []byte, announced int, line Line, options *Options) {
	r := &relay{client: client, target: target, announced: announced, line: line, options: options}
	noteTarget(client)
	running.Store(r, nil)
	defer running.Delete(r)
	r.watchIdle()
	defer r.stopIdle()
	_ = target.SetWriteDeadline(time.Now().Add(stallCheck))
	downDone := make(chan struct{})
	go safely.Do("relay to the client", func() { r.down(downDone) })
	safely.Do("relay to the target", func() { r.up(early) }, r.fault)
	<-downDone
	line.Done(r.outcome())
}

func (r *relay) outcome() Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.result
}

// fault ends a relay after a panic.
func (r *relay) fault() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.over {
		r.over = true
		r.result.ClientErr = safely.ErrPanic
	}
	abort(r.client)
	abort(r.target)
	r.unsyncedEnd()
}

type relay struct {
	client, target net.Conn
	announced      int // bytes that the target gets in front of the client's
	line           Line
	options        *Options
	active         atomic.Int64 // when a byte moved last, since the process began
	talking        atomic.Bool  // the client has sent something to a target that is gone

	mu     sync.Mutex // guards what follows, but for the byte counts: each direction has its own
	result Result
	half   bool        // one direction has ended
	idle   *time.Timer // ends a connection that is silent for too long, if there is such a limit
	unread int         // bytes that its peers had not acknowledged at the last look
	over   bool        // what ended the relay is known
	ended  bool        // both directions are interrupted
	// targetGone means that bytes from the client can no longer be delivered.
	targetGone bool
	// answered means that all that came from the target is delivered.
	answered bool
	// watching means that nothing more comes from the client but, perhaps, a reset.
	watching bool
	// lingerEnd is when a client that lingers must be done at the latest.
	lingerEnd time.Time
}

// up carries the client's bytes to the target.
func (r *relay) up(early []byte) {
	safely.Reach("relay to the target")
	n, writeErr := r.toTarget(early)
	r.result.ToTarget += int64(n)
	var readErr error
	if writeErr == nil {
		var more int64
		more, readErr, writeErr = stream(r.toTarget, r.client)
		r.result.ToTarget += more
	}
	switch {
	case errors.Is(writeErr, os.ErrDeadlineExceeded):
		r.clientFailed(syscall.ECONNRESET) // stalled found the client gone
	case writeErr != nil:
		r.targetFailed(writeErr)
		if r.discardClient() {
			r.end()
		}
	case errors.Is(readErr, os.ErrDeadlineExceeded):
		if r.lingerOn() {
			r.discardClient()
		}
		r.end()
	case readErr != nil:
		r.clientFailed(readErr)
	case !streamEnded(r.client, r.result.ToTarget-int64(r.announced)):
		r.clientFailed(syscall.ECONNRESET)
	case !closeWrite(r.target):
		r.end()
	default:
		r.halfClosed()
		r.watchClient()
	}
}

// down carries the target's bytes to the client.
func (r *relay) down(done chan<- struct{}) {
	defer close(done)
	defer safely.Recover("relay to the client", r.fault)
	safely.Reach("relay to the client")
	n, readErr, writeErr := stream(r.toClient, r.target)
	r.result.ToClient += n
	switch {
	case writeErr != nil:
		r.clientFailed(writeErr)
		return
	case r.isOver():
		return
	case readErr != nil:
		r.targetFailed(readErr)
		r.sever()
		return
	case !streamEnded(r.target, n):
		r.targetFailed(syscall.ECONNRESET)
		r.sever()
		return
	}
	r.mu.Lock()
	r.answered = true
	r.mu.Unlock()
	if !closeWrite(r.client) {
		r.end()
		return
	}
	r.halfClosed()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsyncedLinger()
	if r.watching {
		_ = r.client.SetReadDeadline(past)
	}
}

// watchClient waits, after the client has ended its direction, for the end of the other one: a client that is
// gone must not wait for what the target may say.
func (r *relay) watchClient() {
	r.mu.Lock()
	r.watching = !r.answered && !r.ended
	watching := r.watching
	r.mu.Unlock()
	if watching && awaitReset(r.client) {
		r.clientFailed(syscall.ECONNRESET)
	}
}

// stalled is asked when a write to the target has met its deadline, and reports whether to go on: a client that
// is gone must not wait for a target that does not read. Waited tells that the target had all the time
// since stalled was asked before; otherwise the deadline may have passed while there was nothing to write.
func (r *relay) stalled(waited bool) bool {
	gone := waited && isReset(r.client)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || gone {
		return false
	}
	_ = r.target.SetWriteDeadline(time.Now().Add(stallCheck))
	return true
}

// discardClient reads what the client still sends to a target that is gone, until the client stops or
// has lingered long enough. It reports whether the client is gone, too.
func (r *relay) discardClient() (gone bool) {
	buffer := largeBuffers.Get().(*[largeSize]byte)
	defer largeBuffers.Put(buffer)
	for {
		n, err := r.client.Read(buffer[:])
		if n > 0 {
			r.talking.Store(true)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) && r.lingerOn() {
			continue
		}
		if err != nil {
			return err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded)
		}
	}
}

// lingerOn gives the client more time if there are bytes on the way to it.
func (r *relay) lingerOn() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended || time.Now().After(r.lingerEnd) || unacknowledged(r.client) == 0 {
		return false
	}
	_ = r.client.SetReadDeadline(time.Now().Add(linger))
	return true
}

// targetFailed notes an error of the target. The direction to the client goes on to its end by itself.
// A target that had ended its stream before has left; what the client sends afterwards is no news.
func (r *relay) targetFailed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.targetGone = true
	if !r.over {
		r.over = true
		if !r.answered {
			r.result.TargetErr = err
			r.line.TargetFailed()
		}
	}
	r.unsyncedLinger()
}

// unsyncedLinger limits how long the client may go on, once nothing can come from the target nor go
// to it. The lock must be held.
func (r *relay) unsyncedLinger() {
	if !r.answered || !r.targetGone || r.ended || !r.lingerEnd.IsZero() {
		return
	}
	r.lingerEnd = time.Now().Add(maxLinger)
	_ = r.client.SetReadDeadline(time.Now().Add(linger))
}

// clientFailed notes an error of the client and ends the relay, with a reset for the target.
func (r *relay) clientFailed(err error) {
	r.mu.Lock()
	first := !r.over
	r.over = true
	if first {
		r.result.ClientErr = err
	}
	r.mu.Unlock()
	if first {
		abort(r.target)
	}
	r.end()
}

// end interrupts both directions.
func (r *relay) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unsyncedEnd()
}

// unsyncedEnd is end for who has the lock.
func (r *relay) unsyncedEnd() {
	r.over, r.ended = true, true
	_ = r.client.SetDeadline(past)
	_ = r.target.SetDeadline(past)
}

// closeWrite passes an end of stream on, if the connection can.
func closeWrite(conn net.Conn) bool {
	c, ok := conn.(closeWriter)
	if ok {
		_ = c.CloseWrite()
	}
	return ok
}

// toTarget writes to the target. The write deadline is the time to look whether the client is still there.
func (r *relay) toTarget(bytes []byte) (n int, err error) {
	if len(bytes) == 0 {
		return 0, nil
	}
	for waited := false; ; waited = true {
		put, err := r.target.Write(bytes[n:])
		n += put
		r.moved(put)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !r.stalled(waited) {
			return n, err
		}
	}
}

// toClient writes to the client.
func (r *relay) toClient(bytes []byte) (int, error) {
	n, err := r.client.Write(bytes)
	r.moved(n)
	return n, err
}

func (r *relay) moved(n int) {
	if n > 0 {
		r.active.Store(int64(time.Since(began)))
	}
}

var began = time.Now()
