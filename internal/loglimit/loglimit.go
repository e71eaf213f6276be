// Package loglimit bounds what strangers can have a server write into its log.
package loglimit

import (
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Lines is how many lines are admitted in a Window.
const (
	Lines  = 10
	Window = time.Second
)

// A Limiter admits Lines lines in a Window and counts the others. The first line after a window begins the next.
type Limiter struct {
	// LeftOut is called at the end of a window with how many lines were not admitted, if there were any.
	LeftOut func(lines int)

	mu      sync.Mutex
	lines   int // in the window, which lasts while this is above zero
	leftOut int
}

// Admit reports whether another line may be written.
func (l *Limiter) Admit() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == Lines {
		l.leftOut++
		return false
	}
	if l.lines == 0 {
		time.AfterFunc(Window, safely.Func("log limit", l.endWindow))
	}
	l.lines++
	return true
}

func (l *Limiter) endWindow() {
	l.mu.Lock()
	leftOut := l.leftOut
	l.lines, l.leftOut = 0, 0
	l.mu.Unlock()
	safely.Reach("log limit")
	if leftOut > 0 {
		l.LeftOut(leftOut)
	}
}
