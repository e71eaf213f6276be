package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// What the nodes are like. These are the defaults of sticky_proxy and of its session stores, or what the network is taken to do.
const (
	sessionExpiry    = 30 * time.Second
	deactivation     = 60 * time.Second       // a node sees within that time that a target is back
	reloads          = 10 * time.Second       // within that time all nodes have a new config
	keepalive        = 150 * time.Second      // until a node knows that a client has vanished
	lease            = 90 * time.Second       // that a node which died still has, beyond session_expiry, if it was just renewed
	renewal          = 30 * time.Second       // the time between two renewals
	written          = 100 * time.Millisecond // after that time at most the store knows what has changed
	told             = 10 * time.Millisecond  // after that time the other nodes know what the store knows
	lateUsually      = 0.001                  // the share of requests that the store answers too late
	lateInRush       = 0.01                   // the same in a rush
	rush             = 10 * time.Second       // the time in which clients come whose connections were cut
	connectedFor     = 30 * time.Second       // the mean of an exponential distribution
	awayFor          = 10 * time.Second       // the mean of an exponential distribution
	toAnyNode        = 0.02                   // the share of connections that come to any node
	warmUp           = time.Minute            // in which the clients come
	phaseLength      = 2 * time.Minute
	maxTargets       = 250
	maxNodes, epochs = 64, 8
	forever          = time.Duration(1<<63 - 1)
)

// A config tells how large the history is.
type config struct {
	clients, targets, nodes int
	seed                    uint64
	// rehash means that the router sends clients to the node with the number hash % n. Otherwise only the clients of a node that
	// is lost go elsewhere.
	rehash bool
}

// A flaw is why a target can't be used, at one node or at all of them, for some time.
type flaw struct {
	kind     flawKind
	target   int
	node     int // all if it is below zero
	from, to time.Duration
}

type flawKind int

const (
	down        flawKind = iota // it accepts nothing
	unreachable                 // it accepts nothing from the node
	absent                      // it is not in the node's config
	unseen                      // it accepts, and the node does not know it yet
)

// A phase is what happens at a time, and lasts until the next.
type phase struct {
	name string
	from time.Duration
}

// A step is the targets that can be used from a time on.
type step struct {
	from time.Duration
	set  *targets
}

// An absence is the time in which a node is not there.
type absence struct {
	node     int
	from, to time.Duration
}

// A scenario is a history: all that does not depend on the clients.
type scenario struct {
	config
	phases   []phase
	end      time.Duration
	flaws    []flaw
	cuts     []flaw // those that end connections
	absences []absence
	changes  []time.Duration // when the nodes that are there change, in order
	live     [][]int         // the nodes that are there, before the first change and after each
	usable   [][]step        // for each node, what it would send clients to
	reached  [][]step        // for each node, what is in its config and accepts from there
	sets     map[[maxTargets]bool]*targets
}

// newScenario returns the history in which a target fails and comes back, one is added, one is removed, and a node is lost and comes back, alone
// and together.
func newScenario(c config) *scenario {
	s := &scenario{config: c, sets: make(map[[maxTargets]bool]*targets)}
	rng := rand.New(rand.NewPCG(c.seed, 0))
	within := func(d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }
	lost, unlucky, added := c.nodes-1, 0, c.targets // the last target is not there at first

	s.begin("nothing happens")
	failed := s.begin("a target fails")
	s.returns(0, failed, s.begin("it accepts again, each node sees it within 60 s"), within)
	cut := s.begin("one node does not reach a target for 60 s")
	s.flaws = append(s.flaws, flaw{unreachable, 1, unlucky, cut, cut + deactivation})
	start := s.begin("a target is added, nodes reload within 10 s")
	gone := s.begin("a target is removed, nodes reload within 10 s")
	for n := range c.nodes {
		s.flaws = append(s.flaws, flaw{absent, added, n, 0, start + within(reloads)}, flaw{absent, 2, n, gone + within(reloads), forever})
	}
	gone = s.begin("a node is lost")
	s.absences = append(s.absences, absence{lost, gone, s.begin("a node is added")})
	gone = s.begin("a node and a target are lost at once")
	back := s.begin("both come back")
	s.absences = append(s.absences, absence{lost, gone, back})
	s.returns(3, gone, back, within)
	s.end = s.phases[len(s.phases)-1].from + phaseLength

	for _, f := range s.flaws {
		if f.kind <= unreachable {
			s.cuts = append(s.cuts, f)
		}
	}
	s.followNodes()
	for n := range c.nodes {
		s.usable = append(s.usable, s.steps(n, unseen))
		s.reached = append(s.reached, s.steps(n, absent))
	}
	return s
}

// begin begins a phase and returns when that is.
func (s *scenario) begin(name string) time.Duration {
	from := warmUp + time.Duration(len(s.phases))*phaseLength
	s.phases = append(s.phases, phase{name, from})
	return from
}

// returns has a target accept nothing for a time, after which each node sees at a moment of its own that it does again.
func (s *scenario) returns(target int, from, to time.Duration, within func(time.Duration) time.Duration) {
	s.flaws = append(s.flaws, flaw{down, target, -1, from, to})
	for n := range s.nodes {
		s.flaws = append(s.flaws, flaw{unseen, target, n, to, to + within(deactivation)})
	}
}

func (s *scenario) followNodes() {
	for _, a := range s.absences {
		s.changes = append(s.changes, a.from, a.to)
	}
	slices.Sort(s.changes)
	for _, at := range append([]time.Duration{0}, s.changes...) {
		var live []int
		for n := range s.nodes {
			if s.isThere(n, at) {
				live = append(live, n)
			}
		}
		s.live = append(s.live, live)
	}
}

// isThere reports whether a node is there.
func (s *scenario) isThere(node int, at time.Duration) bool {
	return !slices.ContainsFunc(s.absences, func(a absence) bool { return a.node == node && a.from <= at && at < a.to })
}

// bornBefore returns when the node that is there at a time has come.
func (s *scenario) bornBefore(node int, at time.Duration) (born time.Duration) {
	for _, a := range s.absences {
		if a.node == node && a.to <= at {
			born = max(born, a.to)
		}
	}
	return born
}

// epoch returns the number of changes of nodes until a time.
func (s *scenario) epoch(at time.Duration) int {
	n := 0
	for n < len(s.changes) && s.changes[n] <= at {
		n++
	}
	return n
}

// steps returns the targets that have no flaw of a kind up to the last one, at a node.
func (s *scenario) steps(node int, last flawKind) (steps []step) {
	var flaws []flaw
	times := []time.Duration{0}
	for _, f := range s.flaws {
		if f.kind <= last && (f.node < 0 || f.node == node) {
			flaws = append(flaws, f)
			times = append(times, f.from, f.to)
		}
	}
	slices.Sort(times)
	for _, at := range slices.Compact(times) {
		var member [maxTargets]bool
		for t := range s.targets + 1 {
			member[t] = !slices.ContainsFunc(flaws, func(f flaw) bool { return f.target == t && f.from <= at && at < f.to })
		}
		steps = append(steps, step{at, s.set(member)})
	}
	return steps
}

// set returns the set with these members, the same one each time.
func (s *scenario) set(member [maxTargets]bool) *targets {
	if s.sets[member] == nil {
		s.sets[member] = newTargets(member)
	}
	return s.sets[member]
}

// at returns the targets of the step that counts at a time.
func at(steps []step, now time.Duration) *targets {
	n := 1
	for n < len(steps) && steps[n].from <= now {
		n++
	}
	return steps[n-1].set
}
