package connect

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// A Client is whom a Finder finds a target for. The loop calls it.
type Client interface {
	// SendFirst sends to a target that has accepted what the client has said already. The errors are those of the two
	// sockets; none of them is EAGAIN.
	SendFirst(fd int32) (sent bool, targetErr, clientErr unix.Errno)
	// Connected takes over the socket of a target.
	Connected(s eventloop.Socket, how Accepted, e flow.Established)
	// Lost closes the client, for an error if there is one.
	Lost(err error)
}

// Accepted tells what is known of the socket of a target that is taken.
type Accepted uint8

const (
	// AtOnce means that it has got the client's first bytes, and that no loop watches it yet.
	AtOnce Accepted = iota
	// ByEvent means that an event has told of it.
	ByEvent
	// AsSpare means that it has accepted some time ago. Its events since then went unheard.
	AsSpare
	// Again means that it is the target that the client had already. See Resume.
	Again
)

// A Finder finds the target of one task of a loop.
type Finder struct {
	picker  search.Picker
	task    *eventloop.Task
	loop    *eventloop.Loop
	index   int // of the target's socket in the task
	client  Client
	options *Options
	search  search.Search
	kept    bool // by a lookup of a name
	dials   []dialAttempt
	only    [1]dialAttempt // the memory of dials, of which there usually is one
}

// finders keeps the memory of finders, most of which are done within microseconds.
var finders = sync.Pool{New: func() any { return new(Finder) }}

// NewFinder returns a finder that goes by a picker. It may be called from any goroutine.
func NewFinder(picker search.Picker, options *Options) *Finder {
	f := finders.Get().(*Finder)
	f.picker, f.options = picker, options
	return f
}

// Free gives the memory of a finder back that has come to its end, unless it may still be woken or told of a lookup.
func (f *Finder) Free() {
	if !f.kept && !f.search.Waited() {
		*f = Finder{} // it keeps nothing else alive
		finders.Put(f)
	}
}

// Begin starts to find a target. The loop calls it.
func (f *Finder) Begin(task *eventloop.Task, index int, client Client) {
	f.task, f.loop, f.index, f.client = task, task.Loop(), index, client
	f.dials = f.only[:0]
	f.search.Begin(f.picker, f, f.options.Times)
	f.Advance()
}

// Resume is Begin for a client that had a target, to which it comes back if there is no other one. The finder takes over the
// socket of that, which the loop watches. Until it is taken or closed, its events mean nothing.
func (f *Finder) Resume(task *eventloop.Task, index int, client Client, d search.Dial, s eventloop.Socket) {
	f.task, f.loop, f.index, f.client = task, task.Loop(), index, client
	id := f.search.Resume(f.picker, f, f.options.Times, d)
	f.dials = append(f.only[:0], dialAttempt{id: id, dial: d, socket: s, accepted: Again})
	f.Advance()
}

// Picker returns what chooses the targets.
func (f *Finder) Picker() search.Picker { return f.picker }

// Wake makes the search ask its picker again. It may be called from any goroutine.
func (f *Finder) Wake() {
	f.loop.Post(func() {
		if !f.search.Over() {
			f.task.Blame()
			f.search.Woken()
			f.Advance()
		}
	})
}

// ClientGone ends the search, because the client has gone.
func (f *Finder) ClientGone() {
	f.search.ClientGone()
	f.Advance()
}

// Fail ends the search for an error.
func (f *Finder) Fail(err error) {
	f.search.Fail(err)
	f.Advance()
}

// Advance goes on as far as is possible now. It is to be called when the task's deadline has come.
func (f *Finder) Advance() {
	for !f.search.Over() {
		switch a := f.search.Next(f.loop.Now()); a.Kind {
		case search.Connect:
			f.launch(a)
		case search.Close:
			f.close(a.ID)
		case search.Take:
			f.take(a)
		case search.GiveUp:
			f.client.Lost(a.Err)
			f.search.Lost()
		case search.Wait:
			if f.expireAddresses() {
				continue
			}
			f.task.SetDeadline(min(a.Until, f.due()))
			return
		}
	}
}

// Ready is told of events of the socket of a dial.
func (f *Finder) Ready(generation, events uint32) {
	i := slices.IndexFunc(f.dials, func(d dialAttempt) bool { return d.socket.Generation == generation && d.socket.FD >= 0 })
	if i < 0 {
		return
	}
	d := &f.dials[i]
	id := d.id
	switch {
	case d.accepted != AtOnce: // a spare, which is looked at when it is taken
		return
	case events&unix.EPOLLERR != 0:
		d.err = os.NewSyscallError("connect", eventloop.SocketError(d.socket.FD))
		f.nextAddress(i)
	case events&(unix.EPOLLOUT|unix.EPOLLHUP) != 0:
		d.accepted = ByEvent
		f.search.Accepted(id)
	}
	f.Advance()
	if i = f.find(id); i >= 0 && f.dials[i].accepted == ByEvent {
		f.dials[i].accepted = AsSpare
	}
}

// Abandon ends the search after a panic.
func (f *Finder) Abandon() {
	for _, d := range f.dials {
		f.closeSocket(&d)
	}
	f.dials = nil
	f.search.Abandon()
}

// take hands the socket of a dial over to the client.
func (f *Finder) take(a search.Action) {
	i := f.find(a.ID)
	d := f.dials[i]
	f.dials = nil
	f.task.SetDeadline(eventloop.Never)
	f.client.Connected(d.socket, d.accepted, a.Established)
	if d.accepted != Again {
		d.dial.Target.Reached(d.addr)
	}
}

func (f *Finder) close(id search.ID) {
	if i := f.find(id); i >= 0 {
		f.closeSocket(&f.dials[i])
		f.dials = slices.Delete(f.dials, i, i+1)
	}
}

func (f *Finder) closeSocket(d *dialAttempt) {
	if d.socket.FD >= 0 {
		f.loop.Calls.Close(d.socket.FD)
		d.socket.FD = -1
	}
}

func (f *Finder) find(id search.ID) int {
	return slices.IndexFunc(f.dials, func(d dialAttempt) bool { return d.id == id })
}

// expireAddresses tries the next address of a dial, or the same one again, if it is the time, and reports whether it is.
func (f *Finder) expireAddresses() bool {
	now := f.loop.Now()
	for i := range f.dials {
		d := &f.dials[i]
		if len(d.addrs) == 0 || now < d.next || now >= d.until || d.accepted != AtOnce || d.resolving {
			continue
		}
		if !d.starved() {
			d.err = os.ErrDeadlineExceeded
		}
		f.nextAddress(i)
		return true
	}
	return false
}

// due returns when expireAddresses has something to do.
func (f *Finder) due() time.Duration {
	due := eventloop.Never
	for i := range f.dials {
		if d := &f.dials[i]; len(d.addrs) > 0 && d.accepted == AtOnce {
			due = min(due, d.next)
		}
	}
	return due
}

// starved reports whether the dial waits for a descriptor.
func (d *dialAttempt) starved() bool {
	return d.socket.FD < 0 && (errors.Is(d.err, unix.EMFILE) || errors.Is(d.err, unix.ENFILE))
}

var _ search.Waker = (*Finder)(nil)

var errLookup = errors.New("the name has no address")
