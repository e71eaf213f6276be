// Package session keeps the table of clients and of the targets that they stick to.
//
// # What it promises
//
// A client's session keeps its target while the client has a connection, and for the table's expiry after the last one
// was released, to the precision of the clock: the table never hands out an expired session as a live one, although it
// frees the memory a little later. All connections of a client that are open at the same time share one session, and so
// agree on the target. The table holds no more sessions than its capacity; the session that has been idle longest makes
// room for a new one. Restore puts sessions in that were idle at another time or place.
//
//	           Acquire              Settle, Reach or              last Release
//	(absent) ──────────▶ unplaced ──────────────────▶ live, at a ──────────────▶ idle, at a
//	    ▲                   │      answer to a lookup    target   ◀──────────────   target
//	    │   last Release    │                                         Acquire         │
//	    │◀──────────────────┘                                                         │
//	    │◀────────────────────────────────────────────────────────────────────────────┘
//	                   the expiry has passed, or the table is full, or Clear is called
//
// # Who owns what
//
// The caller of Acquire owns one reference to the session and gives it back by one Release. The sessions themselves
// belong to the table. A table has one timer, which runs only while there are idle sessions, so a table needs no closing;
// Clear frees the memory of one that is not used any more without the wait for the expiry.
//
// # Goroutines
//
// All methods may be called on any goroutine. A table consists of shards, each with a lock of its own, and every client
// belongs to one of them. A method holds at most one of these locks, for a bounded time; meanwhile it calls no function
// but those given to Settle, and Hooks.Note. It calls the other functions in Hooks after it has released the lock. The package performs no
// input or output and has no clock but the one that New is given.
package session
