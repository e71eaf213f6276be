package session

import (
	"cmp"
	"slices"
	"time"
)

const (
	// restoreSize is how many sessions are restored, or passed on the idle list, while a shard is locked.
	restoreSize = 64

	// restoreBatch is how many sessions Restore makes room for at a time, about a slice for each shard.
	restoreBatch = shardCount * restoreSize
)

// Restore puts idle sessions into the table, as they were when they were listed, and returns how many. It leaves out
// those without a client or a target, those that are expired, those of clients that have a session, and what there is no
// room for: then those that expire last are restored, and none makes room that is in the table. The first connection
// of a client finds its session as if it had been here all the time.
//
// Of an Info, Client, Target, Moved, Since and IdleSince count. The times are on the table's clock, and may lie before its beginning;
// one that is still to come counts as now. Like other methods, Restore holds the lock of a shard for a slice of sessions only.
func (t *Table[T]) Restore(sessions []Info[T]) (restored int) {
	if restored = t.restore(sessions); restored > 0 {
		t.armed.Store(true)
		t.timer.Reset(0) // the next one to expire may be one of them
	}
	return restored
}

// restore is Restore without the timer.
func (t *Table[T]) restore(sessions []Info[T]) (restored int) {
	t.restoring.Lock()
	defer t.restoring.Unlock()
	t.expire() // for the room, and since an expired session is none
	r := &restoration[T]{table: t, sessions: sessions, now: t.now()}
	todo := r.candidates()
	r.widen(todo[:max(0, min(len(todo), int(t.capacity.Load()-t.size.Load())))])
	for len(todo) > 0 {
		room := t.reserveUpTo(min(len(todo), restoreBatch))
		if room == 0 {
			break
		}
		added := r.add(todo[:room])
		t.size.Add(int64(added - room))
		restored += added
		todo = todo[room:]
	}
	return restored
}

// reserveUpTo counts up to n more sessions, as far as there is room without an end of others, and returns how many.
func (t *Table[T]) reserveUpTo(n int) int {
	for {
		size := t.size.Load()
		room := min(int64(n), t.capacity.Load()-size)
		if room <= 0 {
			return 0
		}
		if t.size.CompareAndSwap(size, size+room) {
			return int(room)
		}
	}
}

// A restoration adds sessions to a table, each of which has been idle at least as long as the one before.
type restoration[T comparable] struct {
	table    *Table[T]
	sessions []Info[T]
	now      time.Duration
	groups   [shardCount][]*Session[T] // of the sessions to be added, by their shards
	gaps     [shardCount]gap[T]
}

// A candidate is a session that may be restored.
type candidate struct {
	idleSince time.Duration
	index     uint32 // among the sessions
	hash      uint32
}

// candidates returns what may be restored, the sessions that expire last first.
func (r *restoration[T]) candidates() []candidate {
	var none T
	expiry := time.Duration(r.table.expiry.Load())
	all := make([]candidate, 0, len(r.sessions))
	for n := range r.sessions {
		i := &r.sessions[n]
		since := min(i.IdleSince, r.now)
		if i.Client.IsValid() && i.Target != none && r.now-since < expiry {
			all = append(all, candidate{since, uint32(n), r.table.hash(i.Client.Unmap())})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.idleSince, a.idleSince), cmp.Compare(a.index, b.index))
	})
	return all
}

// widen has the index of each shard grow once, if there are so many more sessions to come that it would do so several times.
func (r *restoration[T]) widen(all []candidate) {
	var counts [shardCount]int
	for _, c := range all {
		counts[c.hash%shardCount]++
	}
	for n := range counts {
		r.table.shards[n].widen(counts[n])
	}
}

// add adds the sessions of clients that have none, and returns how many. The caller has reserved room for all.
func (r *restoration[T]) add(some []candidate) (added int) {
	r.group(some)
	for n := range r.groups {
		for rest := r.groups[n]; len(rest) > 0; {
			done, more := r.table.restoreSlice(&r.table.shards[n], &r.gaps[n], rest)
			rest = rest[done:]
			added += more
		}
	}
	return added
}

// group makes the sessions, while no shard is locked.
func (r *restoration[T]) group(some []candidate) {
	for n := range r.groups {
		clear(r.groups[n])
		r.groups[n] = r.groups[n][:0]
	}
	for _, c := range some {
		i := &r.sessions[c.index]
		s := &Session[T]{client: i.Client.Unmap(), target: i.Target, since: min(i.Since, c.idleSince), idleSince: c.idleSince, refs: reached, hash: c.hash}
		if i.Moved {
			s.refs |= moved
		}
		n := c.hash % shardCount
		r.groups[n] = append(r.groups[n], s)
	}
}

// restoreSlice adds the first of some sessions of a shard. It returns how many it has done with, and how many of these it has added.
func (t *Table[T]) restoreSlice(sh *shard[T], g *gap[T], sessions []*Session[T]) (done, added int) {
	var none T
	sh.mu.Lock()
	defer t.unlock(sh)
	g.unsyncedResume(sh, sessions[0])
	for range restoreSize {
		if done == len(sessions) {
			break
		}
		s := sessions[done]
		if g.unsyncedStep(sh, s) {
			continue
		}
		done++
		if sh.sessions.find(s.client, s.hash) != nil {
			continue
		}
		sh.sessions.insert(s)
		sh.unsyncedListBehind(g.at, s)
		t.unsyncedNote(sh, Restored, s, none)
		added++
	}
	g.unsyncedPause()
	return done, added
}

// A gap is where in a shard's idle list the next session goes that is restored: behind a session, or at the list's
// beginning. It moves from the end of the list to there, and outlasts that the shard is not locked.
type gap[T comparable] struct {
	at    *Session[T]   // nil before the first step
	since time.Duration // its idleSince when the shard was unlocked
}

// unsyncedStep moves the gap, if it is not yet that of the session, and reports whether it did.
func (g *gap[T]) unsyncedStep(sh *shard[T], s *Session[T]) bool {
	if g.at == &sh.idle || g.at.idleSince <= s.idleSince {
		return false
	}
	g.at = g.at.prev
	return true
}

func (g *gap[T]) unsyncedPause() { g.since = g.at.idleSince }

// unsyncedResume returns to the end of the list if the session at the gap has left the list meanwhile, or has come to its end
// anew. A session that is older than all goes to the beginning at once.
func (g *gap[T]) unsyncedResume(sh *shard[T], s *Session[T]) {
	head := sh.head()
	switch {
	case head == nil || head.idleSince > s.idleSince:
		g.at = &sh.idle
	case g.at == nil || g.at != &sh.idle && (g.at.prev == nil || g.at.idleSince != g.since):
		g.at = sh.idle.prev
	}
}
