// Package health looks at targets: it runs a check again and again, and judges by what a target says on a connection.
//
//	Loop: when ──▶ dial (the caller's) ──▶ Check: PROXY header, TLS, bytes or an HTTP request, the answer ──▶ nil or why it failed
//
//	            or Ask: what the target's agent says ──▶ ParseReport ──▶ Report
//
// # What it promises
//
// A Loop runs one check at a time: the next one begins an interval after the last one began, or as soon as a slow one is over. A Check
// takes no longer than it is given, and reads no more than MaxAnswer of an answer; Ask reads one line of bounded length. What their results mean is decided in
// package target.
//
// # Who owns what
//
// A Loop has one goroutine, from Start until Close. A Check owns nothing and never changes, so that one Check does for all targets;
// the connection is the caller's, who closes it.
//
// # Goroutines
//
// All methods may be called on any goroutine. Run blocks until the check is over, the others do not block.
package health
