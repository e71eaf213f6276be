package target

import "sync/atomic"

// A SessionCount counts the sessions at a target.
type SessionCount struct{ all, idle atomic.Int64 }

// Add counts so many more sessions, and how many more of them are idle. Both may be negative.
func (c *SessionCount) Add(all, idle int) {
	if all != 0 {
		c.all.Add(int64(all))
	}
	if idle != 0 {
		c.idle.Add(int64(idle))
	}
}

// Count returns how many sessions have connections, and how many are idle. While they change, one may be counted in both, or in
// neither.
func (c *SessionCount) Count() (live, idle int) {
	idle = int(c.idle.Load())
	return max(0, int(c.all.Load())-idle), idle
}
