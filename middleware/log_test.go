package middleware

import (
	"net"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// A flood of blocked clients makes a bounded number of log lines, and one that says how many are missing.
func TestBlockedFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.DebugLevel)
		l := &blockLogger{logger: zap.New(core)}
		flood := func(clients int) (lines int, leftOut []int64) {
			for range clients {
				l.log(&net.TCPAddr{}, verdict{middleware: "test", reason: "out"})
			}
			time.Sleep(2 * logWindow) // the bubble's clock
			synctest.Wait()
			for _, entry := range logs.TakeAll() {
				if count, summary := entry.ContextMap()["left_out"]; summary {
					leftOut = append(leftOut, count.(int64))
				} else {
					lines++
				}
			}
			return lines, leftOut
		}
		for range 2 {
			if lines, leftOut := flood(1000); lines != maxLines || len(leftOut) != 1 || leftOut[0] != 1000-maxLines {
				t.Errorf("a flood: %d lines and the counts %v", lines, leftOut)
			}
			if lines, leftOut := flood(maxLines); lines != maxLines || leftOut != nil {
				t.Errorf("a trickle: %d lines and the counts %v", lines, leftOut)
			}
		}
	})
}
