// Package connect finds the target of one connection: it dials what a search.Search says, and tells it what becomes of
// that. There are two executors, which decide nothing themselves:
//
//   - A Finder does so on an event loop, without blocking and without goroutines but for lookups of names. It belongs to
//     its loop, as all that has to do with a task does, but for Wake.
//   - Find does so with the caller's goroutine, which waits, and one more for each dial, for connections that no loop can
//     carry.
//
// Both can resume a search for a client that had a target already (Resume).
//
// Both own the sockets of their dials and close them, but for the one that is taken: that belongs to the Client of a
// Finder, or to the caller of Find.
package connect
