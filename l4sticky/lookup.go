package l4sticky

import "github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"

// A sessionLookup is one connection's share in finding out whether its client has a session elsewhere. The zero value
// has not begun.
type sessionLookup struct {
	done bool
	// known means that the client has been at its session's target before. It is valid when the lookup is done.
	known bool
}

// mustWait reports whether the connection must wait for its client's session, and has w woken when it is to ask again.
func (l *sessionLookup) mustWait(sessions *sessionTable, s *clientSession, w session.Waiter) bool {
	if l.done {
		return false
	}
	if sessions.Await(s, w) {
		return true
	}
	l.done = true
	_, l.known = sessions.Look(s)
	return false
}
