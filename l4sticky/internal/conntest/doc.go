// Package conntest has what tests of connections need again and again: the two ends of a connection, and what is sent
// and expected on them.
//
// It is for tests only. Its functions end a test that cannot go on, so the test's own goroutine calls them. What they open
// for a test they close at its end, but for connections, which are the test's.
package conntest
