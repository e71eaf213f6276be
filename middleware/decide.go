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
	cancellable, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	ctx := bounded{cancellable, time.Now().Add(time.Duration(m.Timeout))}

	verdicts := make(chan verdict, 1)
	asked := new(atomic.Int64) // the index of the link
	go m.ask(ctx, client, asked, verdicts)
	v, cause := await(ctx, verdicts, cx)
	if cause != nil {
		if errors.Is(cause, errLate) {
			cause = fmt.Errorf("%w, which is %v", errLate, time.Duration(m.Timeout))
		}
		cancel(cause)
		v = verdict{middleware: m.chain[asked.Load()].name, reason: cause.Error(), cause: cause}
	}
	return v
}

// bounded is a context with a deadline that await keeps. A context's own timer would cost more than all the rest.
type bounded struct {
	context.Context
	deadline time.Time
}

func (b bounded) Deadline() (time.Time, bool) { return b.deadline, true }

// await returns the verdict, or why there is none. It looks after the client while it waits.
func await(ctx bounded, verdicts <-chan verdict, client net.Conn) (verdict, error) {
	pause := firstLook
	next := time.NewTimer(min(pause, time.Until(ctx.deadline)))
	defer next.Stop()
	for {
		select {
		case v := <-verdicts:
			return v, nil
		case now := <-next.C:
			if !now.Before(ctx.deadline) {
				return verdict{}, errLate
			}
			if hasLeft(client) {
				return verdict{}, errLeft
			}
			pause = min(2*pause, longestLook)
			next.Reset(min(pause, ctx.deadline.Sub(now)))
		}
	}
}

// ask goes through the chain. It is on its own: nobody waits for a middleware that takes too long.
func (m *Matcher) ask(ctx context.Context, client *Client, asked *atomic.Int64, verdicts chan<- verdict) {
	v := verdict{reason: errNoWord.Error()}
	defer func() {
		if fault := recover(); fault != nil {
			v.reason, v.stack = fmt.Sprintf("panic: %v", fault), string(debug.Stack())
		}
		v.reason = v.reason[:min(len(v.reason), maxReason)]
		verdicts <- v
	}()
	for i, link := range m.chain {
		if ctx.Err() != nil {
			return
		}
		asked.Store(int64(i))
		v.middleware = link.name
		if err := link.Decide(ctx, client); err != nil {
			v.reason = err.Error()
			return
		}
	}
	v = verdict{allowed: true}
}
