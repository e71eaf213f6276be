package share

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

const (
	// maxUpdates is how many sessions the store is told at a time. Clients that are new may wait behind them.
	maxUpdates = 1024
	// maxPending is how many changes wait at most. If there are more, all sessions are told again.
	maxPending = 1 << 17
	// tellTime is how long it takes to tell all sessions again.
	tellTime = 5 * time.Second
)

// A change is why the store is told of a client. What it is told is what the node knows then.
type change struct {
	replaces string // the target that the client has left, if it has
	any      bool   // the session in the store does not count, whatever it is
}

// Note has the store told of a client's session soon.
func (s *Sharer) Note(client netip.Addr) { s.note(client, change{}) }

// NoteMoved has the store told that a client has left a target. The target that it has now replaces that in the store.
func (s *Sharer) NoteMoved(client netip.Addr, left string) {
	s.note(client, change{replaces: left})
	signal(s.urgent)
}

// NoteForgotten has the store forget the client's session, or replace it by the one that the client has got since.
func (s *Sharer) NoteForgotten(client netip.Addr) { s.note(client, change{any: true}) }

func (s *Sharer) note(client netip.Addr, c change) {
	p := &s.pending
	p.Lock()
	defer p.Unlock()
	before, present := p.changes[client]
	if !present && len(p.changes) >= maxPending {
		p.lost = true
		return
	}
	if before.replaces != "" {
		c.replaces = before.replaces // by which the store knows the client
	}
	c.any = c.any || before.any
	p.changes[client] = c
	if c.any {
		p.ended[client] = struct{}{}
	}
}

// isReplaced reports whether the session of a client in the store is one that this node has ended.
func (s *Sharer) isReplaced(client netip.Addr) bool {
	p := &s.pending
	p.Lock()
	defer p.Unlock()
	_, ended := p.ended[client]
	_, ending := p.ending[client]
	return ended || ending
}

// takePending returns what is pending, and whether more has changed that was not noted.
func (s *Sharer) takePending() (changes map[netip.Addr]change, lost bool) {
	p := &s.pending
	p.Lock()
	defer p.Unlock()
	changes, lost = p.changes, p.lost
	if len(p.ended) > 0 {
		p.ending, p.ended = p.ended, make(map[netip.Addr]struct{})
	}
	p.changes, p.spare, p.lost = p.spare, nil, false
	if p.changes == nil {
		p.changes = make(map[netip.Addr]change)
	}
	return changes, lost
}

// putBack makes changes pending again that the store may not know. Of so many that were taken, little memory is kept: to empty that of very many
// takes long.
func (s *Sharer) putBack(changes map[netip.Addr]change, taken int) {
	for client, c := range changes {
		s.note(client, c)
	}
	clear(changes)
	p := &s.pending
	p.Lock()
	defer p.Unlock()
	p.ending = nil
	if taken <= maxUpdates {
		p.spare = changes
	}
}

// keepWriting tells the store of changes, and again and again of the sessions that have connections.
func (s *Sharer) keepWriting() {
	tick := time.NewTicker(FlushInterval)
	defer tick.Stop()
	w := walk{last: time.Now()}
	for s.ctx.Err() == nil {
		select {
		case <-s.ctx.Done():
			return
		case <-s.urgent:
		case <-tick.C:
			safely.Do("session store", func() { s.renew(&w) })
		}
		safely.Do("session store", func() {
			if s.working.Load() && s.flush(context.Background()) {
				w.whole = parts
			}
		})
	}
}

// flush tells the store of all that is pending, and reports whether it is to be told of all sessions.
func (s *Sharer) flush(ctx context.Context) (all bool) {
	changes, all := s.takePending()
	told, taken := true, len(changes)
	updates := make([]stores.Update, 0, min(len(changes), maxUpdates))
	for client, c := range changes {
		updates = append(updates, s.updateFor(client, c))
		if len(updates) == maxUpdates {
			if told = s.tell(ctx, updates, changes); !told {
				break // the others would fail as well, each after the whole time that a request may take
			}
			updates = updates[:0]
		}
	}
	if told {
		s.tell(ctx, updates, changes)
	}
	s.putBack(changes, taken)
	return all
}

// updateFor returns what the store is to be told of a client. If that has no session any more, the one in the store stays, but the client is not live
// here.
func (s *Sharer) updateFor(client netip.Addr, c change) stores.Update {
	u := stores.Update{Client: client, Replaces: c.replaces, Any: c.any}
	now, present := s.local.Session(client)
	switch {
	case present:
		u.Target, u.Live, u.TTL = now.Target, now.Live, now.ttl()
	case c.any:
		u.TTL = time.Millisecond
	default:
		u.Replaces, u.TTL = "", Session{Left: s.local.Expiry()}.ttl()
	}
	return u
}

// tell tells the store of some sessions, and follows where others have placed their clients. It reports whether the store knows
// them all now, and takes them out of the changes then.
func (s *Sharer) tell(ctx context.Context, updates []stores.Update, changes map[netip.Addr]change) bool {
	if len(updates) == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := s.callWithin(ctx, func(ctx context.Context, store stores.Store) error {
		return store.Update(ctx, s.pool, s.node, updates)
	})
	if err != nil {
		s.behind.Store(true)
		return false
	}
	s.counts.Updates.Add(int64(len(updates)))
	for i := range updates {
		u := &updates[i]
		delete(changes, u.Client)
		if u.Target != "" && u.Kept != u.Target && u.Kept != "" {
			s.follow(u)
		}
	}
	return true
}

// follow has a client go where another node has placed it, unless this node has moved or forgotten it since.
func (s *Sharer) follow(u *stores.Update) {
	s.pending.Lock()
	c := s.pending.changes[u.Client]
	s.pending.Unlock()
	if c.any || c.replaces != "" {
		return
	}
	if !s.local.Follow(u.Client, u.Kept) {
		s.note(u.Client, change{replaces: u.Kept}) // this node can't take the client there
	}
}

// A walk goes through the parts of the table, again and again. The goroutine that writes has it.
type walk struct {
	next  int       // the part that is next
	whole int       // of so many parts all sessions are told, and then those with connections
	due   float64   // parts that are to be told now
	last  time.Time // when that was known

	updates []stores.Update // the memory for those of a part
}

// renew tells the store of the sessions in the parts that are due.
func (s *Sharer) renew(w *walk) {
	interval, now := RenewInterval, time.Now()
	if w.whole > 0 {
		interval = tellTime
	}
	w.due = min(w.due+parts*float64(now.Sub(w.last))/float64(interval), parts)
	for w.last = now; w.due >= 1 && s.working.Load() && !s.closed.Load(); w.due-- {
		if !s.tellPart(w) {
			return
		}
		w.next = (w.next + 1) % parts
		w.whole = max(0, w.whole-1)
	}
}

// tellPart tells the store of the sessions in the next part: all, or those with connections. It reports false if the store did not take them.
func (s *Sharer) tellPart(w *walk) bool {
	w.updates = w.updates[:0]
	s.local.Scan(w.next, func(client netip.Addr, now Session) {
		if w.whole > 0 || now.Live {
			w.updates = append(w.updates, stores.Update{Client: client, Target: now.Target, Live: now.Live, TTL: now.ttl()})
		}
	})
	for batch := range slices.Chunk(w.updates, maxUpdates) {
		if !s.tell(context.Background(), batch, nil) {
			return false
		}
	}
	return true
}
