package target

import (
	fifo "container/list"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A queue is the connections that wait for their turn at a target that is full, first come first served.
type queue struct {
	mu      sync.Mutex
	tickets fifo.List    // of *Ticket
	length  atomic.Int32 // of tickets; it changes with mu held and is read without
}

// A Ticket is a connection's place in the queues of targets that are full. The first of them that has room for the connection
// counts it, as by Claim, and the waiter is woken. It is also woken when one of the targets may not fit any more.
type Ticket struct {
	waiter Waiter
	since  time.Duration
	fits   func(*Member) bool // whether the connection may go to a target

	mu      sync.Mutex
	over    bool // it has room, or was given back
	granted *Member
	places  []place
}

// A place is a ticket's in one queue.
type place struct {
	member  *Member
	element *fifo.Element
}

// Queue puts a connection into the queues of the targets, of which there must be at least one, behind those that have waited since before, and before
// those that came later. It gets no room at a target that does not fit; fits is called with the queue locked, and must be quick. The caller gives the ticket back by Leave.
func Queue(members []*Member, since time.Duration, fits func(*Member) bool, w Waiter) *Ticket {
	t := &Ticket{waiter: w, since: since, fits: fits, places: make([]place, 0, len(members))}
	for _, m := range members {
		t.enter(m)
	}
	for _, m := range members {
		m.admit() // which may have got room meanwhile
	}
	return t
}

func (t *Ticket) enter(m *Member) {
	q := &m.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.length.Add(1)
	e := q.insert(t)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.places = append(t.places, place{m, e})
}

// insert puts a ticket where it belongs, which is at the end unless the connection has waited elsewhere before. The lock must be held.
func (q *queue) insert(t *Ticket) *fifo.Element {
	for e := q.tickets.Back(); e != nil; e = e.Prev() {
		if e.Value.(*Ticket).since <= t.since {
			return q.tickets.InsertAfter(t, e)
		}
	}
	return q.tickets.PushFront(t)
}

// Granted returns the target that has room for the connection, which it has claimed, or nil while there is none. The claim
// then is the caller's.
func (t *Ticket) Granted() *Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	m := t.granted
	t.granted = nil
	return m
}

// Fits reports whether there is a target in whose queue the connection is, and to which it may go.
func (t *Ticket) Fits() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.places, func(p place) bool { return t.fits(p.member) })
}

// Leave gives the ticket back. A claim that was not taken by Granted goes to the next connection.
func (t *Ticket) Leave() {
	t.mu.Lock()
	t.over = true
	granted := t.granted
	t.granted = nil
	places := t.places
	t.mu.Unlock()
	for _, p := range places {
		p.member.queue.remove(p.element)
	}
	if granted != nil {
		granted.Release()
	}
	for _, p := range places {
		p.member.admit() // those behind
	}
}

// remove takes a ticket out of the queue, unless it is out already.
func (q *queue) remove(e *fifo.Element) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if e.Value != nil {
		q.unsyncedRemove(e)
	}
}

func (q *queue) unsyncedRemove(e *fifo.Element) {
	q.tickets.Remove(e)
	e.Value = nil
	q.length.Add(-1)
}

// admit grants room to the first in the queue, as long as there is some.
func (t *Target) admit() {
	for t.queue.length.Load() > 0 {
		ticket := t.queue.first(t)
		if ticket == nil {
			return
		}
		ticket.waiter.Wake()
	}
}

// first returns the first ticket whose wait is over by what there is at the target, and takes it out of the queue.
func (q *queue) first(t *Target) *Ticket {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := q.tickets.Front(); e != nil; e = q.tickets.Front() {
		ticket := e.Value.(*Ticket)
		leaves, wakes := ticket.grant(t)
		if !leaves {
			return nil
		}
		q.unsyncedRemove(e)
		if wakes {
			return ticket
		}
	}
	return nil
}

// grant gives a ticket room at a target, if there is some. It leaves the target's queue then, or if the target does not fit any more. The
// waiter is to be woken if it has room, or is in no queue any more.
func (t *Ticket) grant(at *Target) (leaves, wakes bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.over {
		return true, false
	}
	i := slices.IndexFunc(t.places, func(p place) bool { return p.member.Target == at })
	m := t.places[i].member
	if !t.fits(m) {
		t.places = slices.Delete(t.places, i, i+1)
		return true, len(t.places) == 0
	}
	if !at.Claim(m.MaxConnections()) {
		return false, false
	}
	t.over, t.granted = true, m
	return true, true
}

// wakeQueue wakes all that wait for the target, which may not fit any more.
func (t *Target) wakeQueue() {
	if t.queue.length.Load() == 0 {
		return
	}
	for _, ticket := range t.queue.all() {
		ticket.waiter.Wake()
	}
}

// Wake wakes all connections that wait for targets which are full: another target may take them now.
func (r *Registry) Wake() {
	for _, t := range r.all() {
		t.wakeQueue()
	}
}

func (r *Registry) all() []*Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.targets))
}

func (q *queue) all() (tickets []*Ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for e := q.tickets.Front(); e != nil; e = e.Next() {
		tickets = append(tickets, e.Value.(*Ticket))
	}
	return tickets
}
