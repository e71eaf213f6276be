// Package share keeps the sessions of a node in step with those of other nodes, by a store that all of them use.
//
//	                     Ask ──▶ claims ───────────┐  a client that is new: at once, several in one request
//	the table of sessions    Note ──▶ pending ──────┼──▶ Store   what has changed: every FlushInterval, moves sooner
//	                     Scan ──▶ renewal ─────────┘          what is live: a part of the table at a time
//	                     Follow, Setting ◀── news, meetings ◀─┘
//
// # What it promises
//
// A client that is new waits for the store no longer than the timeout, and not at all while the store is known to fail. Nothing else
// waits for the store. Of several nodes that place a client at the same time, the one counts that the store has heard of first. What a node does
// while the store fails is told when it works again: then all sessions are, a part of the table at a time. A session that is at another
// target in the store follows when its client has no connections at this node.
//
// A session with connections is leased: it is kept for its expiry and Lease from the last renewal on, so a node that ends without
// letting go of its sessions does so then.
//
// # Who owns what
//
// The caller of New owns the Sharer and closes it. The store belongs to whoever gave it to Use.
//
// # Goroutines
//
// A Sharer has one goroutine that writes, one that meets the other nodes and one that listens, and up to maxAsking while clients are asked
// for. All methods may be called on any goroutine. Ask, Note and Set do not block; Note may be called with a lock of the table held, as
// it calls nothing. The functions of Local are called without any lock of this package.
package share
