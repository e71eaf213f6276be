package main

import "time"

// What a client is to do; see the functions of the same names.
const (
	kindConnect = "connect"
	kindKnown   = "known"
	kindTrips   = "trips"
	kindDown    = "down"
	kindUp      = "up"
	kindHold    = "hold"
	kindFault   = "fault"
	kindReload  = "reload"
)

// The ways in which a target fails, which are also the commands that make it.
const (
	faultRefused = "refuse"
	faultHole    = "hole"
)

// job is what the benchmark tells the process of the clients.
type job struct {
	Kind string
	// Where to connect: the balancer, or all targets where there is none.
	To []string
	// How many connections are under way at a time, or held.
	Conns int
	// The source addresses are taken from a fixed sequence: Sources of them from First on, and again from there.
	First, Sources int
	// How long a message is, and its answer.
	Size int
	// Work begins Warm before it is counted, and is counted for Window.
	Warm, Window time.Duration
	// How many connections per second are begun, where they do not wait for each other.
	Rate int
	// How many connections live for the whole time, beside those that come and go.
	Long int
	// After how long an answer is given up.
	Patience time.Duration
	// The process groups whose processor time is read at the beginning and the end of the window.
	Balancer, Target, Store int
}

// outcome is what the clients report.
type outcome struct {
	Seconds float64 // the length of the window
	Groups  [2]group
	// Processor time used within the window.
	ClientCPU, BalancerCPU, TargetCPU, StoreCPU time.Duration
}

// The groups of connections that are counted apart.
const (
	groupNew  = 0 // of clients not seen before, or that come and go
	groupHeld = 1 // of clients with a session, or that stay
)

// group sums up what became of one sort of connections.
type group struct {
	Done          int // pieces of work that were done
	Bytes         int64
	Failed        map[string]int `json:",omitempty"` // how many failed, by reason
	P50, P99, Max time.Duration
}

// failures returns how many pieces of work failed, for whatever reason.
func (g group) failures() int {
	sum := 0
	for _, n := range g.Failed {
		sum += n
	}
	return sum
}
