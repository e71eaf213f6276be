package relay

import (
	"time"
)

// watchIdle sees to it that the connection ends when no byte has moved for too long.
func (r *relay) watchIdle() {
	r.active.Store(int64(time.Since(began)))
	r.mu.Lock()
	defer r.mu.Unlock()
	if limit := r.unsyncedLimit(); limit > 0 {
		r.idle = time.AfterFunc(limit, r.checkIdle)
	}
}

func (r *relay) stopIdle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.idle != nil {
		r.idle.Stop()
	}
}

func (r *relay) checkIdle() {
	r.mu.Lock()
	silent := time.Since(began) - time.Duration(r.active.Load())
	limit := r.unsyncedLimit()
	if silent < limit && !r.ended {
		r.idle.Reset(limit - silent)
	}
	r.mu.Unlock()
	if silent >= limit {
		r.end()
	}
}

// halfClosed notes that one direction has ended, from when on a shorter limit may hold.
func (r *relay) halfClosed() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.half = true
	limit := r.unsyncedLimit()
	switch {
	case limit == 0 || r.ended:
	case r.idle == nil:
		r.idle = time.AfterFunc(limit, r.checkIdle)
	default:
		r.idle.Reset(limit)
	}
}

// unsyncedLimit returns how long the connection may be silent, or 0. The lock must be held.
func (r *relay) unsyncedLimit() time.Duration { return r.options.limit(r.half) }
