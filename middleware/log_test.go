package middleware

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
)

// A flood of blocked clients makes a bounded number of log lines, and one that says how many are missing.
func TestBlockedFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		l := newBlockLogger(zap.New(core))
		for range 1000 {
			l.log(&net.TCPAddr{}, verdict{middleware: "test", reason: "out"})
		}
		time.Sleep(2 * loglimit.Window) // the bubble's clock
		synctest.Wait()
		entries := logs.TakeAll()
		if len(entries) != loglimit.Lines+1 {
			t.Fatalf("%d lines", len(entries))
		}
		if last := entries[loglimit.Lines].ContextMap(); last["left_out"] != int64(1000-loglimit.Lines) {
			t.Errorf("the last one says %v", last)
		}
	})
}
