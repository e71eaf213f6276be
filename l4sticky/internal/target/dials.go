package target

import (
	"sync/atomic"
	"time"
)

// A DialResult is what became of a dial.
type DialResult int

const (
	// DialAccepted means that the target has accepted.
	DialAccepted DialResult = iota
	// DialRefused means that nothing listens at the target's port.
	DialRefused
	// DialTimeout means that the target has not answered in time.
	DialTimeout
	// DialUnreachable means that there is no way to the target's host.
	DialUnreachable
	// DialReset means that the target has reset the connection as soon as it had accepted.
	DialReset
	// DialUnresolved means that the target's name could not be looked up.
	DialUnresolved
	// DialLocal means that this machine has run out of something, such as descriptors or source ports.
	DialLocal
	// DialFailed is any other failure.
	DialFailed

	dialResults
)

var dialResultNames = [dialResults]string{"accepted", "refused", "timeout", "unreachable", "reset", "unresolved", "local", "failed"}

// String returns the name of the result in metrics.
func (r DialResult) String() string { return dialResultNames[r] }

// DialResults returns all results.
func DialResults() (all []DialResult) {
	for r := range dialResults {
		all = append(all, r)
	}
	return all
}

// A DialError is why a dial failed, and when.
type DialError struct {
	Text string
	At   time.Duration // on the registry's clock
}

// A DialCount counts what became of dials. The zero value has counted none.
type DialCount struct {
	results [dialResults]atomic.Int64
	last    atomic.Pointer[DialError]
}

// Accepted counts a dial that the target has accepted.
func (c *DialCount) Accepted() { c.results[DialAccepted].Add(1) }

// Failed counts a dial that failed at a time on the registry's clock.
func (c *DialCount) Failed(r DialResult, err error, at time.Duration) {
	c.results[r].Add(1)
	c.last.Store(&DialError{err.Error(), at})
}

// Count returns how many dials had a result.
func (c *DialCount) Count(r DialResult) int64 { return c.results[r].Load() }

// Total returns how many dials there were, and how many of them failed.
func (c *DialCount) Total() (all, failed int64) {
	for r := range c.results {
		all += c.results[r].Load()
	}
	return all, all - c.results[DialAccepted].Load()
}

// LastError returns why the last of the dials that failed did so, or nil if none has.
func (c *DialCount) LastError() *DialError { return c.last.Load() }
