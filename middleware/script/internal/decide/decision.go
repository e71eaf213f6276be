package decide

import (
	"container/list"
	"sync/atomic"
)

// A Decision is a client that waits for the script.
type Decision struct {
	Client Client
	// Asked counts the engines that were asked about the client.
	Asked atomic.Int32
	// State is what an engine keeps for a client.
	State atomic.Value

	answer  chan error    // takes one answer without blocking
	element *list.Element // guarded by Script.mu; nil once the client has its answer
}

// submit hands a decision to the engine, or to the next one.
func (s *Script) submit(d *Decision) error {
	e, err := s.enqueue(d)
	if e != nil {
		s.ask(e, d)
	} // else it is asked as soon as there is one
	return err
}

// enqueue notes that a client waits, and returns the engine to ask if there is one.
func (s *Script) enqueue(d *Decision) (Engine, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, errStopped
	case s.engine == nil && s.down != nil:
		return nil, s.down
	}
	s.asked = true
	d.element = s.pending.PushBack(d)
	return s.engine, nil
}

func (s *Script) ask(e Engine, d *Decision) {
	d.Asked.Add(1)
	e.Decide(d)
}

// Settle gives a decision its answer and reports whether it had none yet.
func (s *Script) Settle(d *Decision, answer error) bool {
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

// leave answers for a client that does not wait any longer, and tells the script.
func (s *Script) leave(d *Decision, reason error) {
	if !s.Settle(d, reason) {
		return
	}
	s.mu.Lock()
	e := s.engine
	s.mu.Unlock()
	if e != nil {
		e.Left(d)
	}
}

// Pending reports whether a client still waits for its answer.
func (s *Script) Pending(d *Decision) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return d.element != nil
}

// waiting returns the clients that wait for a decision, the longest waiting first. It needs s.mu.
func (s *Script) waiting() []*Decision {
	all := make([]*Decision, 0, s.pending.Len())
	for e := s.pending.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(*Decision))
	}
	return all
}

// blockAll keeps the clients out that wait for a decision.
func (s *Script) blockAll(reason error) {
	s.mu.Lock()
	all := s.waiting()
	s.mu.Unlock()
	for _, d := range all {
		s.Settle(d, reason)
	}
}
