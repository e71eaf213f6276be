package script

import (
	"container/list"
	"errors"
	"sync/atomic"
	"time"
)

// decision is a client who waits for the script.
type decision struct {
	client Client
	since  time.Time
	answer chan error // takes one answer without blocking

	element *list.Element // guarded by Script.mu; nil once the client has its answer

	chain atomic.Pointer[chain] // the middlewares' work, once they were asked
}

var errNoDecision = errors.New("the script did not decide in time")

// submit hands a decision to the event loop.
func (s *Script) submit(d *decision) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errStopped
	case s.engine == nil && s.down != nil:
		return s.down
	}
	s.asked = true
	d.element = s.pending.PushBack(d)
	if s.engine != nil && s.engine.ready {
		s.engine.lockedEnqueue(task{decision: d})
	} // else it is asked as soon as the script is ready
	return nil
}

// settle gives a decision its answer and reports whether it had none yet.
func (s *Script) settle(d *decision, answer error) bool {
	s.mu.Lock()
	if d.element == nil {
		s.mu.Unlock()
		return false
	}
	s.pending.Remove(d.element)
	d.element = nil
	s.mu.Unlock()
	d.answer <- answer
	return true
}

// leave answers for a client who does not wait any longer, and tells the script.
func (s *Script) leave(d *decision, reason error) {
	if !s.settle(d, reason) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.engine; e != nil {
		e.lockedEnqueue(task{run: func() { e.closeSocket(d) }})
	}
}

func (s *Script) isPending(d *decision) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return d.element != nil
}

// waiting returns who waits for a decision, the longest waiting first.
func (s *Script) waiting() []*decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*decision, 0, s.pending.Len())
	for e := s.pending.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*decision))
	}
	return all
}

// open lets an engine that was loaded decide, first about those who wait.
func (s *Script) open(e *engine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.ready = true
	for element := s.pending.Front(); element != nil; element = element.Next() {
		e.lockedEnqueue(task{decision: element.Value.(*decision)})
	}
}

// overdue returns who has been waiting for too long, and whether others wait.
func (s *Script) overdue(now time.Time) (late []*decision, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for e := s.pending.Front(); e != nil; e = e.Next() {
		d := e.Value.(*decision)
		if now.Sub(d.since) < s.options.Timeout {
			return late, true
		}
		late = append(late, d)
	}
	return late, false
}
