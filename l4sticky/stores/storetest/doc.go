// Package storetest has a session store in memory, for tests of what uses a store.
//
// It promises what stores.Store does, for all nodes of one process, and fails on demand. It owns nothing that must be closed. All methods
// may be called on any goroutine.
package storetest
