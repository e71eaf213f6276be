// Package safelytest has goroutines panic at a place of a test's choice, and waits for that.
//
// It is for tests only. Places are the process's, so tests that use them must not run side by side. The test's own goroutine
// calls its functions, which take back at the test's end what they did.
package safelytest
