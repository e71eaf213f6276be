// Package conformance plays what both runtimes of scripts have in common: what a middleware gets, what its answers mean, and
// what its socket and the balancer tell. Its tests are all that there is.
//
// A runtime differs where an error is worded, or where its place is counted from; the tests have both words, and each
// runtime must say its own.
package conformance
