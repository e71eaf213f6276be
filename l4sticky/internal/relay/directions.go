package relay

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// takeHeader returns what the target gets in front of the client's bytes, which comes before anything else: a target that then
// is come back to has got it.
func (r *relay) takeHeader() (header []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	header, r.early = r.early[:r.announced], r.early[r.announced:]
	return header
}

// takeEarly returns what was read from the client before.
func (r *relay) takeEarly() (early []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	early, r.early = r.early, nil
	return early
}

// up carries the client's bytes to the target.
func (r *relay) up(downDone <-chan struct{}) {
	safely.Reach("relay to the target")
	_, writeErr := r.toTarget(r.takeEarly())
	if r.mayBeLeft() {
		<-downDone
	}
	var readErr error
	if writeErr == nil {
		_, readErr, writeErr = stream(r.fromClient, r.client)
	}
	switch {
	case writeErr != nil: // the connection is over
	case readErr != nil:
		r.failed(flow.Client, readErr)
	case !streamEnded(r.client, r.delivered()-int64(r.announced)):
		r.failed(flow.Client, syscall.ECONNRESET)
	default:
		r.ended(flow.Client)
		// A client that is gone must not wait for what the target may say.
		if awaitReset(r.client) {
			r.failed(flow.Client, syscall.ECONNRESET)
		}
	}
}

// down carries the target's bytes to the client.
func (r *relay) down(done chan<- struct{}) {
	defer close(done)
	defer safely.Recover("relay to the client", r.fault)
	safely.Reach("relay to the client")
	n, readErr, writeErr := stream(r.toClient, r.target)
	switch {
	case writeErr != nil:
		r.failed(flow.Client, writeErr)
	case readErr != nil:
		r.targetCut(readErr)
	case !streamEnded(r.target, n):
		r.targetCut(syscall.ECONNRESET)
	default:
		r.ended(flow.Target)
	}
}

// toTarget writes to the target, or throws away what cannot reach it any more. It fails if the connection is over. The write
// deadline is the time to look whether the client is still there.
func (r *relay) toTarget(bytes []byte) (n int, err error) {
	for waited := false; n < len(bytes); waited = true {
		if r.discards() {
			return len(bytes), nil
		}
		put, err := r.target.Write(bytes[n:])
		n += put
		r.moved(flow.Client, put)
		switch {
		case err == nil:
		case !errors.Is(err, os.ErrDeadlineExceeded):
			r.failed(flow.Target, err)
		case !r.goesOn(waited):
			return n, err
		}
	}
	return n, nil
}

// goesOn is asked when a write to the target has met its deadline: a client that is gone must not wait for a target that
// does not read. Waited tells that the target had all the time since it was asked before; otherwise the deadline may
// have passed while there was nothing to write.
func (r *relay) goesOn(waited bool) bool {
	if waited && isReset(r.client) {
		r.failed(flow.Client, syscall.ECONNRESET)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.flow.State() == flow.Over {
		return false
	}
	_ = r.target.SetWriteDeadline(time.Now().Add(stallCheck))
	return true
}

// toClient writes to the client.
func (r *relay) toClient(bytes []byte) (int, error) {
	n, err := r.client.Write(bytes)
	r.moved(flow.Target, n)
	return n, err
}

// errSeeking interrupts a direction while another target is looked for.
var errSeeking = errors.New("another target is looked for")

// fromClient takes bytes from the client. While another target is looked for, they are kept for that.
func (r *relay) fromClient(bytes []byte) (int, error) {
	if r.keeps(bytes) {
		return len(bytes), errSeeking
	}
	return r.toTarget(bytes)
}

func (r *relay) keeps(bytes []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flow.Bind()
	if r.flow.Discards() {
		r.flow.Talked()
	}
	if !r.flow.Seeking() {
		return false
	}
	r.early = append(r.early, bytes...)
	return true
}

// discards reports whether bytes that have come from the client are to be thrown away.
func (r *relay) discards() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flow.Discards()
}

func (r *relay) moved(from flow.Side, n int) {
	if n > 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.flow.Moved(from, n, time.Since(began))
	}
}

// delivered returns how many bytes the target has got.
func (r *relay) delivered() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flow.Bytes(flow.Client)
}
