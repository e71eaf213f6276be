// Package haproxy reads what HAProxy's runtime API answers to `show table` and to `show servers state`.
//
// # What it promises
//
// ReadTables and ReadServers take what the versions 2.4 to 3.5 answer, whatever a table stores beside the servers of its clients, and also several
// answers one after the other. What they can't take is an error that names the line. An answer that was cut off while it was sent is such an
// error, because its last line may be the beginning of another one.
//
// testdata has answers of several versions, which were made with the haproxy.cfg there.
//
// # Who owns what, and goroutines
//
// The functions read until the end of what they are given, and close nothing. What they return belongs to the caller. They may be called on any goroutine.
package haproxy
