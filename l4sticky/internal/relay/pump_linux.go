package relay

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// rounds is how often in a row one direction may read before it is another pair's turn.
const rounds = 8

// pump moves all that can be moved, in both directions, but not so much that other pairs wait for long.
func (p *pair) pump() {
	if p.aborter.ends() {
		p.failed(client, unix.ECONNABORTED)
		return
	}
	if p.ends[target].State&eventloop.HungUp != 0 && p.flow.Fresh() {
		p.lookAtEnd()
	}
	more := p.carry(up)
	if p.carry(down) {
		more = true
	}
	c, t := &p.ends[client], &p.ends[target]
	switch {
	case p.halted():
	case c.State&eventloop.Broken != 0 && (c.State&eventloop.Ended != 0 || p.pending[up] != nil):
		p.failed(client, eventloop.SocketError(c.FD))
	case t.State&eventloop.Broken != 0 && t.State&eventloop.Ended != 0 && !p.flow.Discards():
		p.failed(target, eventloop.SocketError(t.FD))
	case more:
		p.Queue()
	}
}

// lookAtEnd looks at the end of a fresh target before anything is taken from the client: that is left to the next target, if there
// is one. The header comes before.
func (p *pair) lookAtEnd() {
	if p.pending[up] != nil {
		p.flush(up)
	}
	if p.pending[up] == nil {
		p.carry(down)
	}
}

// carry moves bytes in one direction and reports whether it stopped with more at hand.
func (p *pair) carry(i int) bool {
	src, calls := &p.ends[i], p.Loop().Calls
	for range rounds {
		if p.halted() || p.pending[i] != nil && !p.flush(i) || src.State&(eventloop.Ended|eventloop.Readable) != eventloop.Readable {
			return false
		}
		if p.pending[i] != nil || p.splice(i) {
			p.fill(i)
			continue
		}
		buffer := p.Loop().Buffer()[:]
		n, errno := calls.Recv(src.FD, buffer)
		switch {
		case errno == unix.EAGAIN && src.State&eventloop.Broken == 0:
			src.State &^= eventloop.Readable
			return false
		case errno != 0:
			p.readFailed(i, errno)
			return false
		case n == 0:
			p.ended(i)
			return false
		}
		if n < len(buffer) && src.State&(eventloop.HungUp|eventloop.Broken) == 0 {
			src.State &^= eventloop.Readable // a short read means drained; whatever comes later is another event
		}
		if i == up {
			p.flow.Bind()
		}
		if i == up && p.flow.Discards() {
			p.flow.Talked()
			continue
		}
		p.deliver(i, buffer[:n])
	}
	return !p.halted() && src.State&(eventloop.Ended|eventloop.Readable) == eventloop.Readable
}

// deliver writes bytes, and keeps for later what can't be written now.
func (p *pair) deliver(i int, bytes []byte) {
	n, errno := p.Loop().Calls.Send(p.ends[1-i].FD, bytes)
	switch {
	case errno == unix.EAGAIN:
		n = 0
	case errno != 0:
		p.writeFailed(i, errno)
		return
	}
	p.moved(i, n)
	p.noteFull(i, len(bytes) == eventloop.BufferSize)
	if n < len(bytes) {
		p.pending[i] = keep(bytes[n:])
		p.flush(i) // an event tells of room only after a send has met none
	}
}

// moved counts delivered bytes.
func (p *pair) moved(i, n int) { p.flow.Moved(flow.Side(i), n, p.Loop().Now()) }

func (p *pair) readFailed(i int, errno unix.Errno) {
	p.failed(i, errno)
	if i == target {
		p.ended(target)
	}
}

func (p *pair) writeFailed(i int, errno unix.Errno) {
	p.failed(1-i, errno)
	if i == up && !p.Removed() {
		p.ends[target].State |= eventloop.Readable | eventloop.Broken // its last words, then the error again
	}
}

// failed tells the flow that the connection of an end has failed.
func (p *pair) failed(i int, errno unix.Errno) {
	if errno == 0 {
		errno = unix.ECONNRESET
	}
	if p.blamed == 0 {
		p.errno = uint16(errno) // of the one that is going to be blamed, if any is
	}
	p.do(p.flow.Failed(flow.Side(i), p.Loop().Now()))
}

// ended tells the flow that all from an end has been delivered. Once an error of the target is known, reading from it ends
// in the same way whether it had ended its stream before or not.
func (p *pair) ended(i int) {
	if p.Removed() {
		return
	}
	if i == target && p.pending[up] != nil {
		p.flow.Bind() // if there is no other target, this one must get what it was to get first
	}
	p.free(i)
	p.ends[i].State |= eventloop.Ended
	now := p.Loop().Now()
	if i == target && p.blamed == 1+uint8(target) && !eventloop.ReceivedEnd(p.ends[target].FD, p.flow.Bytes(flow.Target)) {
		p.do(p.flow.TargetCut(now))
		return
	}
	p.do(p.flow.Ended(flow.Side(i), now))
}

// do carries out what the flow says, which may also wait for another time now.
func (p *pair) do(a flow.Action) {
	if p.Removed() {
		return
	}
	if a&flow.BlameClient != 0 {
		p.blamed = 1 + uint8(client)
	}
	if a&flow.BlameTarget != 0 {
		p.blamed = 1 + uint8(target)
	}
	if a&flow.Discard != 0 {
		p.free(up)
		p.full[up] = 0
		p.ends[client].State |= eventloop.Readable
		p.Queue()
	}
	for i, shut := range [2]flow.Action{flow.ShutClient, flow.ShutTarget} {
		if a&shut != 0 && a&flow.Close == 0 { // a close ends a stream as well
			eventloop.Shutdown(p.ends[i].FD)
		}
	}
	for i, reset := range [2]flow.Action{flow.ResetClient, flow.ResetTarget} {
		if a&reset != 0 {
			connchain.ResetDescriptorOnClose(int(p.ends[i].FD))
		}
	}
	if a&flow.Close != 0 {
		p.finish()
		return
	}
	p.SetDeadline(p.flow.Due())
	if a&flow.BlameTarget != 0 {
		p.Loop().Yield()
		p.established.TargetFailed()
	}
	if a&flow.Redispatch != 0 {
		p.redispatch()
	}
}

func relayError(errno uint16) error { return os.NewSyscallError("relay", unix.Errno(errno)) }

func epollError(errno unix.Errno) error { return os.NewSyscallError("epoll_ctl", errno) }
