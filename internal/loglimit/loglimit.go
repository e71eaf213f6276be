package loglimit

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Lines is how many lines a limiter admits in a Window, unless it has numbers of its own.
const (
	Lines  = 10
	Window = time.Second
)

// A Limiter admits some lines in a window of time and counts the others. The first line after a window begins the next
// one.
type Limiter struct {
	// Lines is how many lines are admitted in each Window. Zero means the constant of the same name, in both fields.
	Lines  int
	Window time.Duration
	// LeftOut is called at the end of a window in which lines were not admitted, with their number. It must be set.
	LeftOut func(lines int)

	mu      sync.Mutex
	lines   int // in the window, which lasts while this is above zero
	leftOut int
}

// Admit reports whether the caller may write another line. If not, the line is counted as left out.
func (l *Limiter) Admit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == cmp.Or(l.Lines, Lines) {
		l.leftOut++
		return false
	}
	if l.lines == 0 {
		time.AfterFunc(cmp.Or(l.Window, Window), safely.Func("log limit", l.Flush))
	}
	l.lines++
	return true
}

// Flush ends the window before its time, and calls LeftOut if lines were left out.
func (l *Limiter) Flush() {
	l.mu.Lock()
	leftOut := l.leftOut
	l.lines, l.leftOut = 0, 0
	l.mu.Unlock()
	safely.Reach("log limit")
	if leftOut > 0 {
		l.LeftOut(leftOut)
	}
}

// A Logger writes as many of the lines that strangers can cause as its limiter admits, and then a line that says how many
// were left out. Lines of a level that is not logged do not count.
type Logger struct {
	logger *slog.Logger
	limit  Limiter
}

// NewLogger returns a Logger that admits so many lines in a window. Zero means the constants Lines and Window.
func NewLogger(logger *slog.Logger, lines int, window time.Duration) *Logger {
	return &Logger{logger: logger, limit: Limiter{Lines: lines, Window: window, LeftOut: func(lines int) {
		logger.Warn("lines like those before were left out", "left_out", lines)
	}}}
}

// Log writes a line, or counts it as left out.
func (l *Logger) Log(level slog.Level, message string, args ...any) {
	if l.logger.Enabled(context.Background(), level) && l.limit.Admit() {
		l.logger.Log(context.Background(), level, message, args...)
	}
}

// Flush writes at once how many lines were left out, if there were any.
func (l *Logger) Flush() { l.limit.Flush() }
