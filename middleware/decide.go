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
	timeout := time.Duration(m.Timeout)
	patience, cancel := context.WithTimeoutCause(context.Background(), timeout, fmt.Errorf("no decision within %v", timeout))
	defer cancel()
	ctx, leave := context.WithCancelCause(patience)
	defer leave(nil)

	verdicts := make(chan verdict, 1)
	var asked atomic.Int64 // the index of the link
	go m.ask(ctx, client, &asked, verdicts)
	v, inTime := await(ctx, verdicts, func() {
		if hasLeft(cx) {
			leave(errLeft)
		}
	})
	if !inTime {
		cause := context.Cause(ctx)
		v = verdict{middleware: m.chain[asked.Load()].name, reason: cause.Error(), cause: cause}
	}
	return v
}

// await returns the verdict unless the context ends first. It looks after the client while it waits.
func await(ctx context.Context, verdicts <-chan verdict, look func()) (v verdict, inTime bool) {
	pause := firstLook
	next := time.NewTimer(pause)
	defer next.Stop()
	for {
		select {
		case v = <-verdicts:
			return v, true
		case <-ctx.Done():
			return v, false
		case <-next.C:
			look()
			pause = min(2*pause, longestLook)
			next.Reset(pause)
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
