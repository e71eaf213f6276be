package middleware

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/mholt/caddy-l4/layer4"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// A decision that takes longer than firstLook is worth looking now and then whether the client is still
// there: after firstLook, then after twice as long each time, up to longestLook.
const (
	firstLook   = 5 * time.Millisecond
	longestLook = 250 * time.Millisecond
)

// maxReason bounds what a middleware can put into a line of the log.
const maxReason = 1000

var (
	errLeft   = errors.New("the client left")
	errLate   = errors.New("no decision in time")
	errNoWord = errors.New("it ended without a decision")
)

// A verdict is what the chain makes of a client.
type verdict struct {
	allowed    bool
	middleware string // that kept the client out
	reason     string
	cause      error  // why the context ended, if that made the verdict
	stack      string // where the middleware panicked
}

// decide asks the chain about a connection.
func (m *Matcher) decide(cx *layer4.Connection, remote net.Addr) verdict {
	client := &Client{remote: remote, local: cx.LocalAddr(), vars: cx}
	defer client.decided()
	ctx := look(cx, time.Duration(m.Timeout))
	defer ctx.end()

	asked := new(atomic.Int64) // the index of the link
	var v verdict
	if m.punctual {
		v = m.ask(ctx, client, asked)
	} else {
		v = m.askApart(ctx, client, asked)
	}
	if cause := context.Cause(ctx); cause != nil {
		return verdict{middleware: m.chain[asked.Load()].name, reason: cause.Error(), cause: cause}
	}
	return v
}

// A lookout is a context that ends when the client leaves or the time is over. Its own timer is all that it costs: a
// context with a deadline would have another.
type lookout struct {
	context.Context
	cancel   context.CancelCauseFunc
	client   net.Conn
	timeout  time.Duration
	deadline time.Time
	pause    time.Duration
	timer    *time.Timer
}

func look(client net.Conn, timeout time.Duration) *lookout {
	l := &lookout{client: client, timeout: timeout, deadline: time.Now().Add(timeout), pause: firstLook}
	l.Context, l.cancel = context.WithCancelCause(context.Background())
	l.timer = time.AfterFunc(time.Hour, safely.Func("middleware look", l.look, func() { l.cancel(safely.ErrPanic) }))
	l.timer.Reset(min(firstLook, timeout)) // not before look can see the timer
	return l
}

// Deadline returns when the time is over.
func (l *lookout) Deadline() (time.Time, bool) { return l.deadline, true }

func (l *lookout) look() {
	safely.Reach("middleware look")
	switch left := time.Until(l.deadline); {
	case left <= 0:
		l.cancel(fmt.Errorf("%w, which is %v", errLate, l.timeout))
	case connchain.HasLeft(l.client):
		l.cancel(errLeft)
	case l.Err() == nil:
		l.pause = min(2*l.pause, longestLook)
		l.timer.Reset(min(l.pause, left))
	}
}

// end ends the context. A look that is under way just then may lead to one more, which finds that.
func (l *lookout) end() {
	l.timer.Stop()
	l.cancel(nil)
}

// askApart goes through the chain in another goroutine. Nobody waits for a middleware that takes too long.
func (m *Matcher) askApart(ctx context.Context, client *Client, asked *atomic.Int64) (v verdict) {
	verdicts := make(chan verdict, 1)
	go safely.Do("middleware chain", func() {
		v, returned := verdict{}, false
		defer func() {
			if !returned {
				v = verdict{reason: errNoWord.Error(), middleware: m.chain[asked.Load()].name}
			}
			verdicts <- v
		}()
		safely.Reach("middleware chain")
		v, returned = m.ask(ctx, client, asked), true
	})
	select {
	case v = <-verdicts:
	case <-ctx.Done():
	}
	return v
}

// ask goes through the chain.
func (m *Matcher) ask(ctx context.Context, client *Client, asked *atomic.Int64) (v verdict) {
	defer func() {
		if p := recover(); p != nil {
			f := newFault(p)
			v.reason, v.stack = f.Error(), f.stack
		}
		v.reason = v.reason[:min(len(v.reason), maxReason)]
	}()
	for i, link := range m.chain {
		if ctx.Err() != nil {
			return v
		}
		asked.Store(int64(i))
		v.middleware = link.name
		if err := link.Decide(ctx, client); err != nil {
			v.reason = err.Error()
			if f := (*fault)(nil); errors.As(err, &f) {
				v.stack = f.stack
			}
			return v
		}
	}
	return verdict{allowed: true}
}

// A fault is a panic that was caught, with its place.
type fault struct {
	value any
	stack string
}

// newFault is for the deferred function that has recovered the value.
func newFault(value any) *fault {
	safely.Count()
	return &fault{value, string(debug.Stack())}
}

func (f *fault) Error() string { return fmt.Sprintf("panic: %v", f.value) }
