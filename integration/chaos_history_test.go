package integration

import (
	"slices"
	"sync"
	"time"
)

// A history tells when something certainly held. Times are those of the chaos run.
type history struct {
	mu    sync.Mutex
	spans []span
}

type span struct {
	from, to time.Duration
	open     bool // it holds still
}

// begin notes that it holds from now on.
func (h *history) begin(now time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.spans); n == 0 || !h.spans[n-1].open {
		h.spans = append(h.spans, span{from: now, open: true})
	}
}

// end notes that it may not hold any more.
func (h *history) end(now time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := len(h.spans); n > 0 && h.spans[n-1].open {
		h.spans[n-1] = span{from: h.spans[n-1].from, to: now}
	}
}

// held reports whether it held all the time.
func (h *history) held(from, to time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range slices.Backward(h.spans) {
		if s.from <= from {
			return s.open || s.to >= to
		}
	}
	return false
}

// touched reports whether it held at any time.
func (h *history) touched(from, to time.Duration) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range slices.Backward(h.spans) {
		if s.from <= to && (s.open || s.to >= from) {
			return true
		}
		if !s.open && s.to < from {
			return false
		}
	}
	return false
}
