// Package search decides how one connection finds a target that accepts: which target is dialled next, when a second
// one is dialled beside it, which one is taken, which ones are dropped, and when the search gives up.
//
// It decides and does nothing else: there is no socket, no goroutine and no clock in it. An executor tells a Search what
// has happened (a dial was accepted or has failed, the picker woke it, the client has gone) and then carries out one
// Action after the other until it is told to wait:
//
//	        events                             actions
//	Accepted, Failed, Starved  ┌────────┐  Connect  dial a target
//	Woken, ClientGone, Fail ──▶│ Search │─▶ Close    close a dial, whose outcome does not matter any more
//	        time (Next)        └───┬────┘  Take     relay with the connection of a dial; the end
//	                               │       GiveUp   close the client; the end
//	                               ▼       Wait     until a time, or the next event
//	                            Picker     (which targets there are, and for whom)
//
// A Search promises:
//
//   - Every Dial that the picker returned, or that Resume was given, ends in exactly one call of its Connected, TakeSpare, Failed or Dropped, and
//     the search itself in exactly one Take or GiveUp. After that the picker is not used any more.
//   - Every dial with which an executor was told to connect, and that has not failed, is either taken or closed.
//   - A target that accepts in time and is wanted is taken, before any other one is dialled.
//
// A Search belongs to its executor, which calls it from one goroutine at a time. Neither owns the sockets that the other
// one does not know of: the executor opens and closes them all.
package search
