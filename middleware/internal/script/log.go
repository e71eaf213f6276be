package script

import (
	"context"
	"log/slog"
	"sync"

	"golang.org/x/time/rate"
)

// limitedLog is a logger for what any stranger can make a script print: a flood of it is left out and
// counted.
type limitedLog struct {
	logger *slog.Logger

	mu      sync.Mutex
	limiter *rate.Limiter
	missing int
}

func newLimitedLog(logger *slog.Logger) *limitedLog {
	return &limitedLog{logger: logger, limiter: rate.NewLimiter(20, 200)}
}

func (l *limitedLog) log(level slog.Level, message string, args ...any) {
	l.mu.Lock()
	allowed := l.limiter.Allow()
	missing := l.missing
	if allowed {
		l.missing = 0
	} else {
		l.missing++
	}
	l.mu.Unlock()
	if !allowed {
		return
	}
	if missing > 0 {
		args = append(args, "left_out_before", missing)
	}
	l.logger.Log(context.Background(), level, message, args...)
}

func (l *limitedLog) error(message string, args ...any) { l.log(slog.LevelError, message, args...) }

// flush tells of what was left out last.
func (l *limitedLog) flush() {
	l.mu.Lock()
	missing := l.missing
	l.missing = 0
	l.mu.Unlock()
	if missing > 0 {
		l.logger.Warn("messages of the script were left out", "left_out_before", missing)
	}
}
