package keepalive

import "time"

// Options are for the sockets of connections that may live long. Delays of small messages (Nagle's algorithm) are switched
// off with them.
type Options struct {
	// Idle is after what silence the peer is probed, in whole seconds. Zero is never.
	Idle time.Duration
	// Interval is how long a probe may go unanswered until the next one, in whole seconds.
	Interval time.Duration
	// UserTimeout is how long sent bytes or probes may go unanswered until the connection is over. Zero leaves
	// that to the system: after 9 probes, or about 15 minutes of sending again.
	UserTimeout time.Duration
}

// Default is what the connections of a seamless listener have from the start.
var Default = Options{Idle: 15 * time.Second, Interval: 15 * time.Second, UserTimeout: 150 * time.Second}
