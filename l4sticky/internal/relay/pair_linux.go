package relay

import (
	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// The two ends of a pair, and the two directions of its bytes: one has the number of the end that it comes from.
const (
	client, target = int(flow.Client), int(flow.Target)
	up, down       = client, target
)

// A pair is a client and its target, or the search for one, which it may become again by redispatch. It belongs to its loop alone.
type pair struct {
	eventloop.Task
	ends        [2]eventloop.Socket
	pending     [2]*pending // what a direction holds
	full        [2]uint8    // how many reads of a direction in a row filled the buffer
	blamed      uint8       // 1 + the end that failed first
	errno       uint16      // by what
	promised    eventloop.Promise
	flow        flow.Flow
	finder      *connect.Finder  // while there is no target
	established flow.Established // from then on
	aborter     *Aborter         // or nil
}

// Start begins the search, or goes on with a pair that comes from another loop. Its sockets tell anew what is to be done
// with them.
func (p *pair) Start() {
	if p.established != nil {
		p.resume()
		return
	}
	p.ends[client] = p.NewSocket(p.ends[client].FD, eventloop.Readable)
	p.find(func(f *connect.Finder) { f.Begin(&p.Task, target, p) })
	if p.Removed() {
		return
	}
	if errno := p.Watch(client, &p.ends[client]); errno != 0 {
		p.abandon(errno)
	}
}

func (p *pair) resume() {
	for i := range p.ends {
		p.ends[i] = p.NewSocket(p.ends[i].FD, p.ends[i].State)
		if errno := p.Watch(i, &p.ends[i]); errno != 0 {
			p.abandon(errno)
			return
		}
	}
	p.SetDeadline(p.flow.Due())
}

// abandon ends a pair that the loop cannot watch, in whatever state.
func (p *pair) abandon(errno unix.Errno) {
	if p.finder != nil {
		p.finder.Fail(epollError(errno))
		return
	}
	p.failed(client, errno)
}

// find goes on to find a target. A finder that is done then is given back.
func (p *pair) find(on func(*connect.Finder)) {
	f := p.finder
	if on(f); p.finder == nil {
		f.Free()
	}
}

// Ready is told of events of one of the sockets.
func (p *pair) Ready(i int, generation, events uint32) {
	switch {
	case p.finder != nil && i == target:
		p.find(func(f *connect.Finder) { f.Ready(generation, events) })
		if p.finder == nil && p.ends[target].Generation == generation && !p.Removed() {
			// The banner of a server that speaks first may come with the event that it accepts.
			p.ends[target].Note(events)
			p.pump()
		}
	case p.ends[i].Generation != generation:
		// The event is of a socket that is closed.
	case p.finder != nil:
		p.ends[client].Note(events)
		if events&unix.EPOLLERR != 0 || p.aborter.ends() {
			p.find((*connect.Finder).ClientGone)
		}
	default:
		p.ends[i].Note(events)
		if p.pump(); p.finder == nil {
			p.move()
		}
	}
}

// halted reports whether no bytes are to be moved, since the pair is over or has no target.
func (p *pair) halted() bool { return p.Removed() || p.finder != nil }

// move gives the pair to another loop, if that has more room.
func (p *pair) move() {
	to := p.Moves()
	if to == nil {
		return
	}
	for i := range p.ends {
		p.Unwatch(&p.ends[i])
	}
	p.MoveTo(to)
}

// Continue goes on with what was put off.
func (p *pair) Continue() {
	if p.finder == nil {
		p.pump()
	}
}

// Expired is called when a time has come that matters to the search or to the flow.
func (p *pair) Expired() {
	if p.finder != nil {
		p.find((*connect.Finder).Advance)
		return
	}
	p.do(p.flow.Tick(p.Loop().Now(), p))
}

// Unacknowledged returns how many bytes are on their way to an end.
func (p *pair) Unacknowledged(to flow.Side) int { return eventloop.Unacknowledged(p.ends[to].FD) }

// Connected takes over the socket of the target.
func (p *pair) Connected(s eventloop.Socket, how connect.Accepted, e flow.Established) {
	p.finder, p.established = nil, e
	p.ends[target] = s
	if how == connect.Again {
		p.free(up) // it has got the header
		p.do(p.flow.Settle(e.Counters(), p.Loop().Now()))
		p.Queue()
		return
	}
	p.blamed, p.errno = 0, 0
	p.promised.Connected()
	p.flow.Begin(e.Counters(), p.Loop().Now())
	p.SetDeadline(p.flow.Due())
	switch how {
	case connect.AsSpare:
		p.Rewatch(target, &p.ends[target])
	case connect.AtOnce:
		p.ends[target].State &^= eventloop.Armed
		if errno := p.Watch(target, &p.ends[target]); errno != 0 {
			p.flow.Bind() // with another target it would be the same
			p.failed(target, errno)
			p.ended(target)
			return
		}
		if p.pending[up] != nil || p.ends[client].State&eventloop.Readable != 0 {
			p.Queue()
		}
	case connect.ByEvent:
	}
}

// Lost closes a client that has no target.
func (p *pair) Lost(err error) {
	if err != search.ErrClientLeft {
		connchain.DismissDescriptor(int(p.ends[client].FD))
	}
	p.aborter.untie()
	p.Loop().Calls.Close(p.ends[client].FD)
	p.finder = nil
	p.release()
}

// release forgets the pair, whose sockets are closed.
func (p *pair) release() {
	p.Remove()
	p.promised.Release()
	for i := range p.pending {
		p.free(i)
	}
}

// finish closes both ends and gives the pair back.
func (p *pair) finish() {
	established := p.established
	p.aborter.untie()
	eventloop.CloseBoth(p.ends[client].FD, p.ends[target].FD)
	p.established = nil
	p.release()
	established.Done(p.result())
}

func (p *pair) result() flow.Result {
	r := flow.Result{ToTarget: p.flow.Bytes(flow.Client), ToClient: p.flow.Bytes(flow.Target), Unserved: p.flow.Unserved(), End: p.flow.End()}
	switch p.blamed {
	case 1 + uint8(client):
		r.ClientErr = relayError(p.errno)
	case 1 + uint8(target):
		r.TargetErr = relayError(p.errno)
	}
	return r
}

// Abandon ends the pair after a panic.
func (p *pair) Abandon() {
	p.aborter.untie()
	finder, established := p.finder, p.established
	p.finder, p.established = nil, nil
	p.Loop().Calls.Close(p.ends[client].FD)
	if established != nil {
		p.Loop().Calls.Close(p.ends[target].FD)
	}
	p.release()
	switch {
	case established != nil:
		safely.Do("end after a panic", func() { established.Done(flow.Result{ClientErr: safely.ErrPanic}) }) // what has failed may fail again
	case finder != nil:
		finder.Abandon()
	}
}
