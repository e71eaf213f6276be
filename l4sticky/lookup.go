package l4sticky

import "github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"

// awaits reports whether a connection must wait for its client's session, and has w woken then. That is so only if the sessions are
// shared.
func (p *pool) awaits(s *clientSession, w session.Waiter) bool {
	return p.sharing.Load() != nil && p.sessions.Await(s, w)
}

// A wake is a channel that is waited for.
type wake chan struct{}

func (w wake) Wake() { w <- struct{}{} }

// awaitSession waits until it is known whether another node has a session of the client.
func (p *pool) awaitSession(s *clientSession) {
	for woken := make(wake, 1); p.awaits(s, woken); {
		<-woken
	}
}

// A sessionLookup is one connection's share in finding out whether its client has a session elsewhere. The zero value
// has not begun.
type sessionLookup struct {
	done bool
	// known means that the client has been at its session's target before. It is valid when the lookup is done.
	known bool
}

// mustWait reports whether the connection must wait for its client's session, and has w woken when it is to ask again.
func (l *sessionLookup) mustWait(p *pool, s *clientSession, w session.Waiter) bool {
	if l.done {
		return false
	}
	if p.awaits(s, w) {
		return true
	}
	l.done = true
	_, l.known = p.sessions.Look(s)
	return false
}
