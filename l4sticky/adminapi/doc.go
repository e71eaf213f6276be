// Package adminapi has the documents of the admin API below /sticky/, for the server and for programs that ask it.
//
// It promises that their fields keep their names and meanings, and that fields are added only. A document belongs to the caller who
// has decoded or filled it; the package keeps nothing and starts no goroutine, so documents may be used on any.
package adminapi
