package main

import (
	"math/rand/v2"
	"time"
)

// Shared is the tables of the nodes in front of a store.
type shared struct {
	tables
	rng    *rand.Rand // of what the network does, so that clients do the same in all ways
	pcg    rand.PCG
	target int // in the store
	until  time.Duration
	write  write
	news   news
}

// A write is a move of the session on its way to the store.
type write struct {
	under    bool // there is one
	node     int
	from, to int
	at, made time.Duration
}

// News is the last move that the store has told the nodes.
type news struct {
	to    int
	at    time.Duration // from when on the nodes know it
	since time.Duration // when it was made
}

func newShared(s *scenario) *shared {
	w := &shared{tables: tables{scenario: s}}
	w.rng = rand.New(&w.pcg)
	return w
}

func (w *shared) begin(c *client) {
	w.tables.begin(c)
	w.pcg.Seed(w.seed, ^c.hash)
	w.target, w.until, w.write, w.news = none, 0, write{}, news{to: none}
}

func (w *shared) send(node int, now time.Duration) int {
	w.deliver(now)
	e, usable := w.entry(node, now), at(w.usable[node], now)
	if w.news.to != none && w.news.at <= now && e.target != none && e.since < w.news.since {
		e.target, e.since = w.news.to, w.news.since
	}
	known := w.target != none && now < w.until
	to := e.target
	switch {
	case to != none && usable.has[to]:
		if !known {
			w.target = to
		}
	case to != none:
		to = w.move(node, now, to, usable)
	case w.late(now):
		// The client does not wait. The node's claim comes to the store all the same, and the first one stays.
		to = usable.placed(w.c)
		e.target, e.since = to, now
		if known {
			e.target = w.target
		} else {
			w.target = to
		}
	case known && usable.has[w.target]:
		to = w.target
		e.target, e.since = to, now
	case known:
		to = w.move(node, now, w.target, usable)
	default:
		to = usable.placed(w.c)
		e.target, e.since, w.target = to, now, to
	}
	e.until, w.until = forever, forever
	return to
}

// move places a client anew whose target can't be used, and tells the store behind the connection.
func (w *shared) move(node int, now time.Duration, from int, usable *targets) int {
	to := usable.placed(w.c)
	w.entries[node].target, w.entries[node].since = to, now
	w.write = write{true, node, from, to, now + time.Duration(w.rng.Int64N(int64(written))), now}
	return to
}

// deliver has the store do what has come to it until now. What a node has not sent before it died is lost.
func (w *shared) deliver(now time.Duration) {
	if !w.write.under || w.write.at > now {
		return
	}
	w.write.under = false
	switch {
	case !w.isThere(w.write.node, w.write.at):
	case w.target != none && w.target != w.write.from && w.target != w.write.to:
		w.entries[w.write.node].target = w.target // another node was first
	default:
		w.target = w.write.to
		w.news = news{w.write.to, w.write.at + told, w.write.made}
	}
}

// late reports whether the store does not answer in time.
func (w *shared) late(now time.Duration) bool {
	share := lateUsually
	for _, change := range w.changes {
		if change <= now && now < change+rush {
			share = lateInRush
		}
	}
	return w.rng.Float64() < share
}

func (w *shared) end(node int, now time.Duration, how ending) {
	w.tables.end(node, now, how)
	until := w.entries[node].until
	if how == died {
		until = now - time.Duration(w.rng.Int64N(int64(renewal))) + lease + sessionExpiry
	}
	w.until = max(until, w.stays(now))
}

// stays returns until when the leases of other nodes have the store keep the session.
func (w *shared) stays(now time.Duration) (until time.Duration) {
	for n := range w.nodes {
		if e := &w.entries[n]; e.target != none && w.isThere(n, now) {
			until = max(until, e.until)
		}
	}
	return until
}
