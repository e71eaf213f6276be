package session

import "github.com/caddy-sticky/caddy-sticky/internal/safely"

// A Waiter is woken when what it waits for has happened. Wake may be called on any goroutine; it must be quick.
type Waiter interface{ Wake() }

// A lookup is the question for one session to which Hooks.Lookup has the answer. It stands in its shard's outbox from
// the question on until the session has a target or is released without one, and is guarded by the shard's lock.
type lookup struct {
	answered bool
	waiters  []Waiter
}

// Await reports whether the caller, who has acquired the session, must wait for its target to be looked up elsewhere. If
// so, the waiter is woken when the session has a target or it is known that there is none, and the caller then asks
// again. It may be woken after it has released the session.
//
// The first call for a session without a target asks Hooks.Lookup; all connections of the client wait for that answer.
// If it is a target, the session has it. An answer that comes too late changes nothing: after a
// connection that did not wait has given the session a target, or after the last one was released. Await always
// returns false in a table without that hook, and for a detached session.
func (t *Table[T]) Await(s *Session[T], w Waiter) bool {
	if t.hooks.Lookup == nil || s.hash&detached != 0 {
		return false
	}
	if l := t.beginLookup(s); l != nil {
		t.ask(s, l)
	}
	sh := t.shard(s.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.outbox == nil {
		return false
	}
	l := sh.outbox.lookups[s]
	if l == nil || l.answered {
		return false
	}
	l.waiters = append(l.waiters, w)
	return true
}

// beginLookup returns the lookup of a session that needs one which has not begun, or else nil.
func (t *Table[T]) beginLookup(s *Session[T]) *lookup {
	var none T
	sh := t.shard(s.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s.target != none {
		return nil
	}
	if sh.outbox == nil { // as long as nothing is looked up, unlock is cheaper without
		sh.outbox = new(outbox[T])
	}
	if sh.outbox.lookups[s] != nil {
		return nil
	}
	if sh.outbox.lookups == nil {
		sh.outbox.lookups = make(map[*Session[T]]*lookup)
	}
	l := new(lookup)
	sh.outbox.lookups[s] = l
	return l
}

func (t *Table[T]) ask(s *Session[T], l *lookup) {
	var none T
	safely.Do("session lookup", func() {
		t.hooks.Lookup(s.client, func(target T, reached bool) { t.answer(s, l, target, reached) })
	}, func() { t.answer(s, l, none, false) })
}

// answer takes the first answer to a lookup, if its session still waits for that.
func (t *Table[T]) answer(s *Session[T], l *lookup, target T, known bool) {
	var none T
	sh := t.shard(s.hash)
	sh.mu.Lock()
	defer t.unlock(sh)
	if l.answered || sh.outbox.lookups[s] != l {
		return
	}
	if target != none {
		t.unsyncedMove(sh, s, target, Found, Moved)
		if known {
			s.refs |= reached
		}
		return
	}
	l.answered = true
	sh.unsyncedWake(l)
}

// unsyncedEndLookup forgets the lookup of a session, if there is one, and wakes its waiters. The shard must be locked.
func (sh *shard[T]) unsyncedEndLookup(s *Session[T]) {
	if sh.outbox == nil {
		return
	}
	if l := sh.outbox.lookups[s]; l != nil {
		delete(sh.outbox.lookups, s)
		sh.unsyncedWake(l)
	}
}

// unsyncedWake has the waiters of a lookup woken after the shard is unlocked. The shard must be locked.
func (sh *shard[T]) unsyncedWake(l *lookup) {
	for _, w := range l.waiters {
		sh.outbox.queue = append(sh.outbox.queue, message[T]{waiter: w})
	}
	l.waiters = nil
}
