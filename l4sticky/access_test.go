package l4sticky

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// What ended a connection is told by the reason that the pool has given, else by the error of a side, else by who was first.
func TestEndOf(t *testing.T) {
	relayError := func(errno syscall.Errno) error { return os.NewSyscallError("relay", errno) }
	other := errors.New("something new")
	for name, test := range map[string]struct {
		because error
		result  flow.Result
		by, end string
		why     error
	}{
		"the pool":            {because: errDrained, result: flow.Result{End: flow.CutEnd}, by: "proxy", end: "drained", why: errDrained},
		"the pool, late":      {because: errForgotten, result: flow.Result{ClientErr: relayError(syscall.ECONNABORTED)}, by: "proxy", end: "forgotten", why: errForgotten},
		"a reason of others":  {because: other, by: "proxy", end: "ended", why: other},
		"a panic":             {result: flow.Result{ClientErr: safely.ErrPanic}, by: "proxy", end: "panic", why: safely.ErrPanic},
		"a reset":             {result: flow.Result{ClientErr: syscall.ECONNRESET, End: flow.ClientFirst}, by: "client", end: "reset", why: syscall.ECONNRESET},
		"a silent peer":       {result: flow.Result{TargetErr: syscall.ETIMEDOUT, End: flow.TargetFirst}, by: "upstream", end: "vanished", why: syscall.ETIMEDOUT},
		"a reset, then quiet": {result: flow.Result{TargetErr: syscall.EPIPE, End: flow.IdleEnd}, by: "upstream", end: "reset", why: syscall.EPIPE},
		"another error":       {result: flow.Result{ClientErr: other}, by: "client", end: "failed", why: other},
		"silence":             {result: flow.Result{End: flow.IdleEnd}, by: "proxy", end: "idle_timeout"},
		"silence of a side":   {result: flow.Result{End: flow.HalfCloseEnd}, by: "proxy", end: "half_close_timeout"},
		"the client":          {result: flow.Result{End: flow.ClientFirst}, by: "client", end: "eof"},
		"the target":          {result: flow.Result{End: flow.TargetFirst}, by: "upstream", end: "eof"},
		"a shortage":          {result: flow.Result{End: flow.CutEnd}, by: "proxy", end: "descriptors", why: errShortage},
	} {
		a := new(access)
		if test.because != nil {
			a.because.Store(&test.because)
		}
		if by, end, why := a.endOf(test.result); by != test.by || end != test.end || why != test.why {
			t.Errorf("%s: %s, %s, %v", name, by, end, why)
		}
	}
}

// TestEstablishedSize sees to it that a connection takes no more than one piece of 64 bytes here, whatever the access log keeps for those
// that it tells of.
func TestEstablishedSize(t *testing.T) {
	if size := unsafe.Sizeof(established{}); size > 64 {
		t.Errorf("an established connection takes %d bytes", size)
	}
}

// BenchmarkAccessLog is what the handler does for a connection from its begin to its end, without sockets.
func BenchmarkAccessLog(b *testing.B) {
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for _, on := range []bool{false, true} {
		b.Run(map[bool]string{false: "off", true: "on"}[on], func(b *testing.B) {
			h, _, _ := newBalancer(b, "127.0.0.1:1", "127.0.0.1:2")
			h.AccessLog, h.access = on, zap.New(zapcore.NewCore(encoder, zapcore.AddSync(io.Discard), zap.InfoLevel))
			client, local := &net.TCPAddr{IP: visitor.AsSlice(), Port: 1}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}
			b.ReportAllocs()
			for b.Loop() {
				var a *access
				if on {
					a = &access{handler: h, client: client, local: local, began: monotonic(), seeking: monotonic()}
				}
				p := h.newPicker(client, a)
				d, step := p.Next(nil)
				if step != search.DialTarget {
					b.Fatal("there is no target")
				}
				p.Connected(d).Done(flow.Result{ToTarget: 1, ToClient: 1, End: flow.ClientFirst})
			}
		})
	}
}
