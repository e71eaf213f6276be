// Package keepalive sets the socket options by which the system finds out that a peer has vanished without a word.
//
// A peer that is silent is probed after Idle, then each Interval. Both sides of every connection have these options from
// the start: accepted sockets inherit them from the listening socket, dialled ones get them before they connect.
//
// Its functions may be called from any goroutine. The sockets stay their owners'.
package keepalive
