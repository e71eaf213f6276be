package decide

// The clients that were let in, which the script may kick, or listen to until they leave. An engine calls these functions one
// after the other, and none after its end.

// Follow has the script told when a client that was let in leaves, or has left.
func (s *Script) Follow(number uint32) {
	s.mu.Lock()
	d := s.guests[number]
	s.mu.Unlock()
	if d == nil {
		s.tellLeft(number)
		return
	}
	if d.client.OnEnd == nil || d.stop != nil {
		return
	}
	d.stop = func() {}
	d.stop = d.client.OnEnd(func() {
		if s.takeGuest(number) != nil {
			s.tellLeft(number)
		}
	})
}

// Kick ends the connection of a client that was let in.
func (s *Script) Kick(number uint32) {
	d := s.takeGuest(number)
	if d == nil {
		return
	}
	if d.stop != nil {
		d.stop()
	}
	if d.client.Kick != nil {
		d.client.Kick()
	}
}

func (s *Script) takeGuest(number uint32) *decision {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.guests[number]
	delete(s.guests, number)
	return d
}

// batchSize is how many clients a script lets go of together at most; js/balancer.js has it, too.
const batchSize = 64

// Forget lets go of the clients with the numbers from first to last, of whom the script cannot speak any more. It is none if last is
// the number before first, and of more than belong together it is the first ones, since a script may say anything.
func (s *Script) Forget(first, last uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range min(last-first+1, batchSize) {
		delete(s.guests, first+i)
	}
}

// Guests returns how many clients there are that were let in and of whom the script may speak.
func (s *Script) Guests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.guests)
}
