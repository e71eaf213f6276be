package relay

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// A Target is where a connection can be dialled to.
type Target interface {
	// Addrs returns the addresses of the target if they are known without asking anybody. It must not block.
	Addrs() []netip.AddrPort
	// Resolve looks the addresses up. It may block.
	Resolve(context.Context) ([]netip.AddrPort, error)
	// Reached is told which of several addresses has accepted.
	Reached(netip.AddrPort)
}

// A Dial is one try to reach a target.
type Dial struct {
	Target Target
	// Probe is for the route's own use.
	Probe bool
}

// A Step is what a route wants next.
type Step int

const (
	// Nothing means that no target is left to dial.
	Nothing Step = iota
	// Dialling means that a target is to be dialled.
	Dialling
	// Waiting means that the route will say by the Waker when to ask again.
	Waiting
)

// A Waker makes who carries a connection ask its route again. Wake may be called at any time, from anywhere.
type Waker interface{ Wake() }

// A Route leads one connection to a target. Whoever carries the connection calls its methods, one at a time; they
// must be quick and must not block. Every Dial that Next returned ends in one call of Connected, Settle, Failed or
// Dropped. After Connected, Settle or Lost the route is not used any more.
type Route interface {
	// Next returns what to do next, while no dial is under way but those that are late.
	Next(Waker) (Dial, Step)
	// Late is told of a dial that has not succeeded within the time in Options, and reports whether another target
	// shall be dialled beside it. It is asked again and again while the dial is under way.
	Late(Dial) bool
	// Agreed reports whether a target that accepts is the right one, and may count on being taken then. If it is
	// not, its connection is kept as a spare while others are tried.
	Agreed(Dial) bool
	// Connected takes the connection of a dial, which goes on to its end as the returned Line.
	Connected(Dial) Line
	// Settle takes the spare, because nothing better accepts.
	Settle(Dial) Line
	// Failed is told why a dial failed. An error that it returns ends the search.
	Failed(Dial, error) error
	// Dropped is told that a dial was given up, or its connection closed unused.
	Dropped(Dial)
	// Own is told of a dial to an address for which Options.Own has said yes, with the address of its dialling end,
	// and by what to know whether it is still open.
	Own(d Dial, local netip.AddrPort, open func() bool)
	// Lost is told that the connection ends without a target: with a nil error because there was none left,
	// or with ErrClientLeft, or with what went wrong.
	Lost(error)
}

// ErrClientLeft tells that a client has gone before there was a target for it.
var ErrClientLeft = errors.New("the client has left")

// A Line is a connection with its target.
type Line interface {
	// TargetFailed is called as soon as an error of the target's connection is known, if there is one.
	TargetFailed()
	// Done is called when the connection is over.
	Done(Result)
}

// Options are the times that bound a connection.
type Options struct {
	// DialTimeout is how long a target may take to accept.
	DialTimeout time.Duration
	// Late is after how long a dial is late.
	Late time.Duration
	// Idle ends a connection on which no byte moved for that long, in either direction. Zero is never.
	Idle time.Duration
	// HalfClose does the same once one direction has ended. Zero is never.
	HalfClose time.Duration
	// KeepAlive finds out that a peer has vanished.
	KeepAlive KeepAlive
	// Own reports whether a dial may come back to this process, so that its route wants to know of it. It may be nil.
	Own func(to netip.AddrPort) bool
}

// KeepAlive are the socket options by which the system finds out that a peer has vanished without a word.
type KeepAlive struct {
	// Idle is after what silence the peer is probed, in whole seconds. Zero is never.
	Idle time.Duration
	// Interval is how long a probe may go unanswered until the next one, in whole seconds.
	Interval time.Duration
	// UserTimeout is how long sent bytes or probes may go unanswered until the connection is over. Zero leaves
	// that to the system: after 9 probes, or about 15 minutes of sending again.
	UserTimeout time.Duration
}

// DefaultKeepAlive is what the connections of a Listener have from the start.
var DefaultKeepAlive = KeepAlive{Idle: 15 * time.Second, Interval: 15 * time.Second, UserTimeout: 150 * time.Second}

// askAgain is how often a route is asked what to do about a dial that is late.
const askAgain = 50 * time.Millisecond

// limit returns how long a connection may be silent, or 0 if there is no limit.
func (o *Options) limit(halfClosed bool) time.Duration {
	if halfClosed && o.HalfClose > 0 && (o.Idle == 0 || o.HalfClose < o.Idle) {
		return o.HalfClose
	}
	return o.Idle
}
