package session

// Settle returns the session's target if it is usable. Otherwise it calls place and moves the session to the target that
// place returns, unless that is none. Both functions run with the client's shard locked, so that all connections of a
// client agree; they must be quick and must not use the table.
func (t *Table[T]) Settle(s *Session[T], usable func(T) bool, place func() T) T {
	var none T
	sh := t.shard(s.hash)
	sh.mu.Lock()
	defer t.unlock(sh)
	if s.target != none && usable(s.target) {
		return s.target
	}
	chosen := place()
	if chosen != none {
		t.unsyncedMove(sh, s, chosen, Placed, Moved)
	}
	return chosen
}

// Reach notes that a connection of the client has reached a target, and reports whether the connection may stay there. It
// may if that is the session's target. It may also stay at another target, to which the session then moves, as long as no
// connection has reached the session's own.
func (t *Table[T]) Reach(s *Session[T], target T) bool {
	sh := t.shard(s.hash)
	sh.mu.Lock()
	defer t.unlock(sh)
	if s.target != target {
		if s.refs&reached != 0 {
			return false
		}
		t.unsyncedMove(sh, s, target, Placed, Moved)
	}
	s.refs |= reached
	return true
}

// Return moves a session home that has left its target, when its client comes back after its last connection was released,
// and returns the home. It asks for that once each time, by home, which returns none if the session is to stay; home runs with the
// client's shard locked, as place does in Settle. For any other session Return does nothing, and returns none.
func (t *Table[T]) Return(s *Session[T], home func() T) T {
	var none T
	sh := t.shard(s.hash)
	sh.mu.Lock()
	defer t.unlock(sh)
	if s.refs&back == 0 {
		return none
	}
	s.refs &^= back
	to := home()
	if to != none && to != s.target {
		t.unsyncedMove(sh, s, to, Placed, Moved)
		s.refs &^= moved
	}
	return to
}

// Look returns the session's target, or none, and whether a connection of the client has reached it.
func (t *Table[T]) Look(s *Session[T]) (target T, settled bool) {
	sh := t.shard(s.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return s.target, s.refs&reached != 0
}

// unsyncedMove changes the session's target; first is the kind of event if it had none before, and further if it had one. The
// shard must be locked.
func (t *Table[T]) unsyncedMove(sh *shard[T], s *Session[T], target T, first, further Kind) {
	var none T
	previous := s.target
	if target == previous {
		return
	}
	s.target = target
	s.refs &^= reached
	if previous != none {
		s.refs |= moved
		t.unsyncedNote(sh, further, s, previous)
		return
	}
	t.unsyncedNote(sh, first, s, none)
	sh.unsyncedEndLookup(s)
}

// Connections returns how many connections of the client are counted in the session.
func (t *Table[T]) Connections(s *Session[T]) int {
	sh := t.shard(s.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return int(s.refs & maxRefs)
}
