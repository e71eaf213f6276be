package flow

import "sync/atomic"

// Counters count the bytes of many connections, such as those of a target, while the connections are open. The zero value
// is ready for use. All methods may be called from any goroutine.
type Counters struct {
	delivered [2]atomic.Int64
}

// Bytes returns how many bytes from a side have been delivered to the other one.
func (c *Counters) Bytes(from Side) int64 { return c.delivered[from].Load() }

// Add counts bytes from a side.
func (c *Counters) Add(from Side, n int64) {
	if c != nil && n != 0 {
		c.delivered[from].Add(n)
	}
}
