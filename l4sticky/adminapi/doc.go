// Package adminapi has the documents of the admin API below /sticky/, for the server and for programs that ask it, and a Client
// for the latter.
//
// It promises that the fields of documents keep their names and meanings, and that fields are added only. A document belongs to the caller who
// has decoded or filled it, and may be used on any goroutine. A Client belongs to the caller who has made it, and keeps connections to
// the admin endpoint until it is closed or they have been idle for long.
package adminapi
