package decide

import "log/slog"

// A decision is a client whom the script knows by a number: it waits, or was let in and the script may still speak of it.
type decision struct {
	client Client
	asked  int        // how many engines were asked about the client
	answer chan error // takes one answer without blocking
	stop   func()     // takes back that the script is told of the client's end
}

// submit has the engine asked about a client, or the next one as soon as there is one, and returns the client's number.
func (s *Script) submit(d *decision) (number uint32, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ctx.Err() != nil:
		return 0, errStopped
	case s.engine == nil && s.down != nil:
		return 0, s.down
	}
	s.asked = true
	if s.last++; s.last == 0 { // which is no client's number
		s.last++
	}
	s.pending[s.last] = d
	s.unsyncedAsk(s.last)
	return s.last, nil
}

// unsyncedAsk asks the engine, if there is one, about a client. It needs s.mu, so that engines get numbers in their order.
func (s *Script) unsyncedAsk(number uint32) {
	if d := s.pending[number]; s.engine != nil {
		d.asked++
		s.engine.Decide(number, &d.client)
	}
}

// Settle gives a client its answer and reports whether it had none yet.
func (s *Script) Settle(number uint32, answer error) bool {
	s.mu.Lock()
	d := s.pending[number]
	delete(s.pending, number)
	if d != nil && answer == nil && d.client.Flags() != 0 && s.engine != nil {
		s.guests[number] = d
	}
	s.mu.Unlock()
	if d == nil {
		return false
	}
	d.answer <- answer
	return true
}

// Failed logs an error that nothing in the script has caught, and keeps out the client for whom the script was at work, if the
// number is not zero.
func (s *Script) Failed(number uint32, reason error, stack string) {
	arguments := []any{slog.String("error", reason.Error()), slog.String("stack", stack)}
	if c, waits := s.Waiting(number); waits && s.Settle(number, reason) {
		arguments = append(arguments, slog.String("client", c.Remote.Addr().Unmap().String()))
	}
	s.Log.Log(slog.LevelError, "the script failed", arguments...)
}

// Blame keeps out the client for whom the script was at work when its engine ended. If no such client waits, it keeps out those that
// were with an engine that ended before.
func (s *Script) Blame(number uint32, reason error) {
	if !s.Settle(number, reason) {
		s.blockAll(reason, 2)
	}
}

// blockAll keeps the clients out that wait for a decision, and about which at least that many engines were asked.
func (s *Script) blockAll(reason error, asked int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for number, d := range s.pending {
		if d.asked >= asked {
			delete(s.pending, number)
			d.answer <- reason
		}
	}
}

// tellLeft tells the script that a client has gone.
func (s *Script) tellLeft(number uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine != nil {
		s.engine.Left(number)
	}
}

// Waiting returns a client that waits for its answer, and whether it still does.
func (s *Script) Waiting(number uint32) (c Client, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.pending[number]
	if d == nil {
		return Client{}, false
	}
	return d.client, true
}
