// Package names knows which addresses the names of upstreams stand for.
//
//	look-ups, at an interval and on demand ──▶ Watch ──▶ Tracker: which addresses count ──▶ changed
//
// # What it promises
//
// An address counts from the first answer that has it until it was in no answer for the hold time, so that a server that
// answers with a changing part of a long list makes no address come and go. A look-up that fails, or an answer without an
// address, changes nothing. There is one look-up of a name at a time, and never two within MinPause.
//
// Look-ups cost little, however many names there are: those that are due within a quarter of a second begin together, so that the
// processor is woken once for all of them, and the questions of a Resolver share sockets, each for some seconds and some
// questions, as the port of a socket should stay hard to guess.
//
// # Who owns what
//
// A Watch has one goroutine, from NewWatch until Close. A Resolver closes its sockets a few seconds after the last question. A Tracker is a decision alone: it has no goroutine, no lock and no clock.
//
// # Goroutines
//
// All methods of a Watch may be called on any goroutine, and none blocks but First. The functions that a Watch was given are
// called on its own goroutine.
package names
