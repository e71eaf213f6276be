package search

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// A Target is where a connection can be dialled to.
type Target interface {
	// Addrs returns the addresses of the target if they are known without a lookup. It must not block.
	Addrs() []netip.AddrPort
	// Resolve looks the addresses up. It may block.
	Resolve(context.Context) ([]netip.AddrPort, error)
	// Reached is told which of several addresses has accepted.
	Reached(netip.AddrPort)
}

// A Dial is one try to reach a target.
type Dial struct {
	Target Target
	// Probe and Began are for the picker's own use.
	Probe bool
	Began time.Duration
	// At is the address that is dialled, or was dialled last, if it is known. The picker leaves it to the executor.
	At netip.AddrPort
}

// explain returns the error of a dial with the address that was dialled, which errors of system calls lack.
func (d Dial) explain(err error) error {
	if named := (*net.OpError)(nil); !d.At.IsValid() || errors.As(err, &named) {
		return err
	}
	return &net.OpError{Op: "dial", Net: "tcp", Addr: net.TCPAddrFromAddrPort(d.At), Err: err}
}

// A Step is what a picker wants next.
type Step int

const (
	// NoTarget means that no target is left to dial.
	NoTarget Step = iota
	// DialTarget means that a target is to be dialled.
	DialTarget
	// AwaitWake means that the picker will use the Waker when it is to be asked again.
	AwaitWake
)

// A Waker makes a search ask its picker again. Wake may be called at any time, from any goroutine.
type Waker interface{ Wake() }

// A Picker chooses the targets for one connection. Its methods are called one at a time; they must be quick and must
// not block. Every Dial that Next returned, or with which a search was resumed, ends in one call of Connected, TakeSpare, Failed or Dropped. After
// Connected, TakeSpare or Lost the picker is not used any more.
type Picker interface {
	// Next returns what to do next. It is asked while no dial is under way but late ones. The Waker may be kept only if
	// AwaitWake is returned.
	Next(Waker) (Dial, Step)
	// Late is told of a dial that has not succeeded within Times.Late, and reports whether another target shall be
	// dialled beside it. It is asked again and again while the dial is under way.
	Late(Dial) bool
	// Wants reports whether a target that accepts is the right one, and may count on being taken then. The connection
	// of another one is kept as a spare while further targets are tried.
	Wants(Dial) bool
	// Connected takes the connection of a dial, which goes on to its end as the returned one.
	Connected(Dial) flow.Established
	// TakeSpare takes the spare, because no target accepts that is wanted more.
	TakeSpare(Dial) flow.Established
	// Failed is told why a dial failed, with the address that was dialled if it is known. An error that it returns ends the search.
	Failed(Dial, error) error
	// Dropped is told that a dial was given up, or its connection closed unused.
	Dropped(Dial)
	// Own is told of a dial to an address that may be this process's own, with the address of the dialling end. Open
	// reports whether that end is still open.
	Own(d Dial, local netip.AddrPort, open func() bool)
	// Lost is told that the connection ends without a target: with a nil error because none was left, with
	// ErrClientLeft, or with what went wrong.
	Lost(error)
}

// ErrClientLeft tells that a client has gone before there was a target for it.
var ErrClientLeft = errors.New("the client has left")
