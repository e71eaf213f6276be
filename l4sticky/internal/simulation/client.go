package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"
)

// firstClient is the address of the first client as a number. The others follow it.
const firstClient = 11 << 24

// A client comes back again and again.
type client struct {
	addr netip.Addr
	hash uint64      // of the address
	node [epochs]int // to which the router sends it in each epoch
	pcg  rand.PCG
	rng  *rand.Rand

	session int           // the target at which it is, or was last
	left    time.Duration // when its last connection ended
}

// become makes the client another one, which has not come yet.
func (c *client) become(s *scenario, number int) {
	var address [4]byte
	binary.BigEndian.PutUint32(address[:], firstClient+uint32(number))
	c.addr = netip.AddrFrom4(address)
	c.hash = hashOf(3, address[:])
	for epoch, live := range s.live {
		c.node[epoch] = routed(c.hash, live, s.rehash)
	}
	c.pcg.Seed(s.seed, uint64(number)+1)
	if c.rng == nil {
		c.rng = rand.New(&c.pcg)
	}
	c.session, c.left = none, 0
}

// routed returns the node to which a router sends a client.
func routed(hash uint64, live []int, rehash bool) int {
	if rehash {
		return live[hash%uint64(len(live))]
	}
	best, most := 0, uint64(0)
	for _, n := range live {
		if score := mix(hash + uint64(n)*0x9e3779b97f4a7c15); score >= most {
			best, most = n, score
		}
	}
	return best
}

// mix is the last step of SplitMix64.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// within returns a time up to a limit.
func (c *client) within(limit time.Duration) time.Duration {
	return time.Duration(c.rng.Uint64N(uint64(limit)))
}

// about returns a time of an exponential distribution with this mean.
func (c *client) about(mean time.Duration) time.Duration {
	return time.Duration(c.rng.ExpFloat64() * float64(mean))
}

// An ending is how a connection ends.
type ending int

const (
	closed   ending = iota // by the client, or the target
	died                   // the node is lost
	rerouted               // the router sends the client to another node, and the one that had it does not know
)

// A way is a way to find the target for a connection. It knows one client.
type way interface {
	// begin begins with a client that has not come yet.
	begin(c *client)
	// send returns the target of a connection that comes to a node, or none.
	send(node int, now time.Duration) int
	// end notes that the connection has ended.
	end(node int, now time.Duration, how ending)
}

// A count is what has happened in a phase.
type count struct {
	// connections are all.
	connections int
	// returning are those of clients whose session lives, at a target that accepts.
	returning int
	// misplaced are those of them that were sent to another target.
	misplaced int
}

// play has a client come and go until the end, and counts what becomes of its connections.
func (s *scenario) play(c *client, w way, counts []count) {
	w.begin(c)
	for now := c.within(warmUp); now < s.end; {
		epoch := s.epoch(now)
		node, roams := c.node[epoch], false
		if c.rng.Float64() < toAnyNode {
			node, roams = s.live[epoch][c.rng.IntN(len(s.live[epoch]))], true
		}
		to := w.send(node, now)
		if now >= warmUp {
			n := &counts[(now-warmUp)/phaseLength]
			n.connections++
			if c.session != none && now-c.left < sessionExpiry && at(s.reached[node], now).has[c.session] {
				n.returning++
				if to != c.session {
					n.misplaced++
				}
			}
		}
		c.session = to
		until, how, cut := s.ends(c, node, roams, now, now+c.about(connectedFor))
		w.end(node, until, how)
		c.left = until
		if cut {
			now = until + c.within(rush)
		} else {
			now = until + c.about(awayFor)
		}
	}
}

// ends returns when and how a connection ends, and whether that is sooner than the client would end it.
func (s *scenario) ends(c *client, node int, roams bool, from, until time.Duration) (_ time.Duration, how ending, cut bool) {
	for _, f := range s.cuts {
		if f.target == c.session && (f.node < 0 || f.node == node) && from < f.from && f.from < until {
			until, cut = f.from, true
		}
	}
	for i, change := range s.changes {
		if change <= from || change >= until {
			continue
		}
		if !s.isThere(node, change) {
			return change, died, true
		}
		if !roams && c.node[i+1] != node {
			return change, rerouted, true
		}
	}
	return until, how, cut
}
