package session

import (
	"net/netip"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Hooks connect a table with what stands around it. The zero value connects it with nothing, and costs nothing.
type Hooks[T comparable] struct {
	// Observe is told of every change of a session that the table remembers. The table holds no lock meanwhile.
	//
	// The events of one client come one at a time, in the order in which the changes happened; those of two clients
	// may come at the same time, on two goroutines. Observe runs on the goroutine whose call of the table made the
	// change, or on another one that was just telling of other changes, so that the call may return before its own
	// change is told. That goroutine often is an event loop: Observe must be quick and must not block.
	//
	// Observe may use the table. What it changes of the client that it is told of is told after it has returned. A panic
	// in Observe is reported, and the events after the one that caused it come as usual.
	Observe func(Event[T])

	// Note is told the same as Observe, and sooner: while the client's shard is locked. So it must be quick, must not block and must
	// not use the table. In return it costs next to nothing, and what it counts is never behind what a connection sees.
	Note func(Event[T])

	// Lookup is asked for the target of a client that has no session, see Table.Await. It must not block: what takes
	// time goes on elsewhere, and calls answer from there, with none if there is no session. Reached means that the client has had
	// a connection to the target. It may also call answer at once. It must call answer, and
	// bound the time until then, as the client waits so long; calls after the first have no effect. If it panics, that
	// is reported and counts as the answer that there is no session.
	Lookup func(client netip.Addr, answer func(target T, reached bool))
}

// An Event tells of one change of a session.
type Event[T comparable] struct {
	Kind   Kind
	Client netip.Addr
	// Target is the session's target after the change, or the last one of a session that has ended.
	Target T
	// Previous is the target before the change of a session that was Moved or Followed, and none for all other kinds.
	Previous T
}

// A Kind says what has happened to a session. A session begins with Placed, Found or Restored and ends with Expired, Evicted,
// Forgotten or Dropped. Sessions that never get a target cause no events, and neither do detached ones.
type Kind uint8

const (
	// Placed means that a client without a session got a target. It has connections.
	Placed Kind = iota + 1
	// Found means the same, but the target is what Hooks.Lookup has answered.
	Found
	// Restored means that Restore has put the session into the table. It is idle.
	Restored
	// Moved means that the session got another target.
	Moved
	// Followed means the same of a session without connections, by Follow.
	Followed
	// Idle means that the last connection of the client was released, from when on the expiry counts.
	Idle
	// Resumed means that the client of an idle session has come back in time.
	Resumed
	// Expired means that the session was idle for as long as the expiry. It may be told when the client comes back
	// later, or when the memory is freed.
	Expired
	// Evicted means that the session, which was idle, made room for another one.
	Evicted
	// Forgotten means that Clear or Forget was called. Like all sessions that end, one that had connections is told to be Idle before.
	Forgotten
	// Dropped means the same, but it was done by Follow.
	Dropped
)

var kinds = [...]string{
	"none", "placed", "found", "restored", "moved", "followed", "idle", "resumed", "expired", "evicted", "forgotten", "dropped",
}

// String returns the kind's name in lower case.
func (k Kind) String() string { return kinds[k] }

// Ended reports whether the session is over.
func (k Kind) Ended() bool { return k >= Expired }

// An outbox holds what a shard has to tell after it is unlocked. It is guarded by the shard's lock.
type outbox[T comparable] struct {
	queue      []message[T]            // in the order in which it is to be told
	spare      []message[T]            // the empty memory of the queue before
	delivering bool                    // a goroutine is telling
	lookups    map[*Session[T]]*lookup // that sessions without a target have begun; nil before the first
}

// A message is an event to be observed or, without one, a waiter to be woken.
type message[T comparable] struct {
	event  Event[T]
	waiter Waiter
}

// unsyncedNote tells of a change, and puts it into the outbox if the table is observed. The shard must be locked.
func (t *Table[T]) unsyncedNote(sh *shard[T], kind Kind, s *Session[T], previous T) {
	if t.hooks.Note != nil && s.hash&detached == 0 {
		t.hooks.Note(Event[T]{kind, s.client, s.target, previous})
	}
	if t.hooks.Observe != nil {
		sh.unsyncedPut(kind, s, previous)
	}
}

func (sh *shard[T]) unsyncedPut(kind Kind, s *Session[T], previous T) {
	if s.hash&detached == 0 {
		sh.outbox.queue = append(sh.outbox.queue, message[T]{event: Event[T]{kind, s.client, s.target, previous}})
	}
}

// unlock unlocks a shard, and then empties its outbox if the table has hooks.
func (t *Table[T]) unlock(sh *shard[T]) {
	if sh.outbox == nil {
		sh.mu.Unlock()
		return
	}
	t.unlockAndDeliver(sh)
}

// unlockAndDeliver leaves the outbox to the goroutine that is delivering, if there is one. That there is only one at a
// time, and that it takes the messages in the order in which they were put in with the lock held, keeps the events of a
// client in order.
func (t *Table[T]) unlockAndDeliver(sh *shard[T]) {
	out := sh.outbox
	if out.delivering {
		sh.mu.Unlock()
		return
	}
	out.delivering = true
	for len(out.queue) > 0 {
		batch := out.queue
		out.queue, out.spare = out.spare, nil
		sh.mu.Unlock()
		for i := range batch {
			t.deliver(&batch[i])
		}
		clear(batch)
		sh.mu.Lock()
		if cap(batch) <= sliceSize {
			out.spare = batch[:0]
		}
	}
	out.delivering = false
	sh.mu.Unlock()
}

func (t *Table[T]) deliver(m *message[T]) {
	defer safely.Recover("session hook")
	if m.waiter != nil {
		m.waiter.Wake()
		return
	}
	t.hooks.Observe(m.event)
}
