// Package scripttest has what tests of scripts need again and again: a script in a folder of its own, clients that ask it, and a
// log that can be waited for.
//
// It is for tests only. Its functions end a test that cannot go on, so the test's own goroutine calls them. A script that was
// loaded for a test is closed at its end.
package scripttest
