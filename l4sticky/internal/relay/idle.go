package relay

import (
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// watchIdle sees to it that the connection ends when no byte has moved for too long.
func (r *relay) watchIdle() {
	r.active.Store(int64(time.Since(began)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if limit := r.unsyncedLimit(); limit > 0 {
		r.idle = time.AfterFunc(limit/idleLooks, safely.Func("idle timeout", r.checkIdle, r.fault))
	}
}

func (r *relay) stopIdle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true // a look that is under way is the last one
	if r.idle != nil {
		r.idle.Stop()
	}
}

// checkIdle looks at the connection each part of the time that it may be silent. Bytes that a slow peer takes from what
// was sent before count as activity.
func (r *relay) checkIdle() {
	if r.isSilent(unacknowledged(r.client) + unacknowledged(r.target)) {
		r.cut()
	}
}

// isSilent reports whether the connection has been silent for too long, or else looks again later. Unread are the bytes
// that its peers have not acknowledged.
func (r *relay) isSilent(unread int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	safely.Reach("idle timeout")
	silent := time.Since(began) - time.Duration(r.active.Load())
	limit := r.unsyncedLimit()
	part := max(limit/idleLooks, 1)
	before := r.unread
	r.unread = unread
	switch {
	case silent < part:
		r.unread = 0
	case unread < before:
		r.active.Store(int64(time.Since(began)))
		silent = 0
	}
	over := silent >= limit
	if !over && !r.ended {
		r.idle.Reset((silent/part+1)*part - silent)
	}
	return over
}

// halfClosed notes that one direction has ended, from when on a shorter limit may hold.
func (r *relay) halfClosed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.half = true
	r.active.Store(int64(time.Since(began)))
	limit := r.unsyncedLimit()
	switch {
	case limit == 0 || r.ended:
	case r.idle == nil:
		r.idle = time.AfterFunc(limit/idleLooks, safely.Func("idle timeout", r.checkIdle, r.fault))
	default:
		r.idle.Reset(limit / idleLooks)
	}
}

// unsyncedLimit returns how long the connection may be silent, or 0. The lock must be held.
func (r *relay) unsyncedLimit() time.Duration { return r.options.limit(r.half) }
