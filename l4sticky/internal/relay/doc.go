// Package relay carries the bytes of a connection between a client and its target, and carries out what a flow.Flow
// decides about their ends.
//
//	         ┌── Go: a pair on an event loop (Linux, plain TCP) ──┐
//	client ──┤                                                    ├── target
//	         └── Run: two goroutines (all else) ──────────────────┘
//
// Go takes over the client's connection, has a connect.Finder find the target, and returns at once. The loop closes both
// sockets at the end. Reads go through the loop's one buffer; when they keep filling it, a direction goes through a pipe
// (splice(2)) for as long as the burst lasts. An idle pair holds no buffer.
//
// Run carries two connections that the caller has, and returns when it does not use them any more. It closes the target's and
// leaves it to the caller to close the client's. It reads a plain socket only when there is something to read, so that it holds no buffer either.
//
// Both promise the same, which one suite of tests checks for both: nothing is read that was not written yet
// (back-pressure), an end of stream is passed on and the other direction goes on (half-close), and what was cut short ends
// in a reset. The Established of a connection is told once that it is over, by the loop or by the goroutine of Run, and may
// be told before, by either of Run's goroutines, that its target has failed.
//
// If the flow says so, both look for another target in place of one that has ended the connection before it was used. The
// Established, which must be a Redispatcher then, gives way to a picker, and that to the Established of the next target, or to
// another one of the same target if there is no other.
//
// Go, Run, Abort and the methods of an Aborter may be called from any goroutine.
package relay
