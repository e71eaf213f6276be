package middleware

import (
	"net"
	"sync"
	"time"

	"go.uber.org/zap"
)

// A matcher logs maxLines blocks in each logWindow, so that strangers can't fill the disk.
const (
	maxLines  = 10
	logWindow = time.Second
)

// A blockLogger logs who is kept out and why, and counts what it leaves out.
type blockLogger struct {
	logger *zap.Logger

	mu      sync.Mutex
	lines   int // in the window, which lasts while this is above zero
	leftOut int
}

func (l *blockLogger) log(client net.Addr, v verdict) {
	if !l.admit() {
		return
	}
	fields := []zap.Field{zap.Stringer("client", client), zap.String("middleware", v.middleware), zap.String("reason", v.reason)}
	if v.stack != "" {
		l.logger.Error("blocked a client", append(fields, zap.String("stack", v.stack))...)
		return
	}
	l.logger.Info("blocked a client", fields...)
}

// admit reports whether another line may be written.
func (l *blockLogger) admit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == maxLines {
		l.leftOut++
		return false
	}
	if l.lines == 0 {
		time.AfterFunc(logWindow, l.endWindow)
	}
	l.lines++
	return true
}

// endWindow tells how many lines were left out.
func (l *blockLogger) endWindow() {
	l.mu.Lock()
	leftOut := l.leftOut
	l.lines, l.leftOut = 0, 0
	l.mu.Unlock()
	if leftOut > 0 {
		l.logger.Info("blocked more clients, left out of the log", zap.Int("left_out", leftOut))
	}
}
