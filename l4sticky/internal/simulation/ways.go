package main

import "time"

// A stateless way looks at the client's address and the targets that the node takes for usable, and remembers nothing.
type stateless struct {
	*scenario
	place func(*targets, *client) int
	c     *client
}

func (w *stateless) begin(c *client) { w.c = c }

func (w *stateless) send(node int, now time.Duration) int {
	return w.place(at(w.usable[node], now), w.c)
}

func (w *stateless) end(int, time.Duration, ending) {}

// modulo places a client by hash % n.
func modulo(t *targets, c *client) int {
	if len(t.list) == 0 {
		return none
	}
	return t.list[c.hash%uint64(len(t.list))]
}

// maglev places a client by Maglev's table.
func maglev(t *targets, c *client) int {
	if len(t.list) == 0 {
		return none
	}
	return int(t.maglev()[c.hash%maglevSize])
}

// An entry is the session of the client in the table of a node.
type entry struct {
	target int
	since  time.Duration // when the target was noted
	until  time.Duration // when the session expires
}

// Tables are a table of sessions in each node, which knows what has come to that node.
type tables struct {
	*scenario
	c       *client
	entries [maxNodes]entry
}

func (w *tables) begin(c *client) {
	w.c = c
	for n := range w.nodes {
		w.entries[n] = entry{target: none}
	}
}

// entry returns the client's session at a node. It has no target if there is none.
func (w *tables) entry(node int, now time.Duration) *entry {
	e := &w.entries[node]
	if e.target != none && (e.until <= now || e.since < w.bornBefore(node, now)) {
		e.target = none
	}
	return e
}

func (w *tables) send(node int, now time.Duration) int {
	e, usable := w.entry(node, now), at(w.usable[node], now)
	if e.target == none || !usable.has[e.target] {
		e.target, e.since = usable.placed(w.c), now
	}
	e.until = forever
	return e.target
}

func (w *tables) end(node int, now time.Duration, how ending) {
	if how == rerouted {
		now += keepalive
	}
	w.entries[node].until = now + sessionExpiry
}
