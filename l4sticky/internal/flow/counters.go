package flow

import "sync/atomic"

// Counters count the bytes of many connections, such as those of a target, while the connections are open. The zero value
// is ready for use. All methods may be called from any goroutine.
type Counters struct {
	// Sum, if it is not nil, counts the same bytes together with those of others, such as all targets of a pool. It must
	// be set before the first byte.
	Sum *Counters

	delivered [2]atomic.Int64
}

// Bytes returns how many bytes from a side have been delivered to the other one.
func (c *Counters) Bytes(from Side) int64 { return c.delivered[from].Load() }

// add counts bytes here and in all sums.
func (c *Counters) add(from Side, n int) {
	for ; c != nil; c = c.Sum {
		c.delivered[from].Add(int64(n))
	}
}
