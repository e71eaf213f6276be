package connect

import (
	"context"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// A dialAttempt is one dial of a Finder.
type dialAttempt struct {
	id        search.ID
	dial      search.Dial
	socket    eventloop.Socket // its descriptor is -1 while there is none
	accepted  Accepted         // AsSpare as soon as an event has told that the target has accepted
	resolving bool             // the name is being looked up
	until     time.Duration    // when the search takes it for failed
	next      time.Duration    // when the next address is tried
	addrs     []netip.AddrPort // left to be tried
	addr      netip.AddrPort   // being tried
	err       error
}

// launch begins a dial.
func (f *Finder) launch(a search.Action) {
	addrs := a.Dial.Target.Addrs()
	f.dials = append(f.dials, dialAttempt{
		id: a.ID, dial: a.Dial, socket: eventloop.Socket{FD: -1}, addrs: addrs, resolving: addrs == nil, until: f.loop.Now() + f.options.Timeout,
	})
	if addrs != nil {
		f.nextAddress(len(f.dials) - 1)
		return
	}
	f.loop.Yield()
	f.kept = true
	go safely.Do("lookup", func() { f.resolve(a.ID, a.Dial.Target) })
}

// resolve looks up a target's name for a dial, away from the loop.
func (f *Finder) resolve(id search.ID, t search.Target) {
	ctx, cancel := context.WithTimeout(context.Background(), f.options.Timeout)
	defer cancel()
	addrs, err := []netip.AddrPort(nil), safely.ErrPanic // unless it comes to an end
	defer func() {
		f.loop.Post(func() { f.resolved(id, addrs, err) })
	}()
	safely.Reach("lookup")
	addrs, err = t.Resolve(ctx)
	if len(addrs) == 0 && err == nil {
		err = errLookup
	}
}

// resolved goes on with a dial whose target's name was looked up.
func (f *Finder) resolved(id search.ID, addrs []netip.AddrPort, err error) {
	i := f.find(id)
	if i < 0 || f.search.Over() {
		return
	}
	f.task.Blame()
	d := &f.dials[i]
	d.addrs, d.err, d.resolving = addrs, err, false
	f.nextAddress(i)
	f.Advance()
}

// nextAddress dials the next address of a dial. One without a further address has failed.
func (f *Finder) nextAddress(i int) {
	d := &f.dials[i]
	for f.closeSocket(d); len(d.addrs) > 0; f.closeSocket(d) {
		now := f.loop.Now()
		d.addr = d.addrs[0]
		d.next = now + (d.until-now)/time.Duration(len(d.addrs))
		d.addrs = d.addrs[1:]
		if under := f.connect(d); under {
			return
		}
	}
	id, err := d.id, d.err
	f.close(id)
	f.search.Failed(id, err)
}

// connect begins to connect to an address, and reports false if that has failed.
func (f *Finder) connect(d *dialAttempt) (underWay bool) {
	f.search.Dials(d.id, d.addr)
	fd, errno := f.loop.Calls.Socket(d.addr)
	if errno != 0 {
		d.err = os.NewSyscallError("socket", errno)
		if d.starved() {
			f.awaitDescriptor(d)
			return true
		}
		d.addrs = nil // another one would fail alike
		return false
	}
	f.search.Fed(d.id)
	d.socket = f.task.NewSocket(fd, eventloop.Armed)
	f.options.KeepAlive.ApplyTo(fd)
	if errno = f.loop.Calls.Connect(fd, d.addr); errno != 0 && errno != unix.EINPROGRESS {
		d.err = os.NewSyscallError("connect", errno)
		return false
	}
	if f.options.Own != nil && f.options.Own(d.addr) {
		local := eventloop.LocalAddr(fd)
		f.picker.Own(d.dial, local, func() bool { return eventloop.LocalAddr(fd) == local })
	}
	if done, errno := f.tryFirst(d); errno != 0 {
		d.err = os.NewSyscallError("connect", errno)
		return false
	} else if done {
		return true
	}
	if errno = f.task.Watch(f.index, &d.socket); errno != 0 {
		d.err = os.NewSyscallError("epoll_ctl", errno)
		d.addrs = nil
		return false
	}
	return true
}

// awaitDescriptor has the same address tried again soon.
func (f *Finder) awaitDescriptor(d *dialAttempt) {
	d.addrs = append([]netip.AddrPort{d.addr}, d.addrs...)
	d.next = f.loop.Now() + eventloop.ShortagePause
	f.search.Starved(d.id, d.err, f.loop.Now())
	eventloop.Reclaim()
}

// tryFirst sends what the client has said already, which succeeds if the target is so near that it has accepted by now: a
// wait, an event and a look at the outcome are saved then. It reports whether the matter is settled. Nothing may be sent
// to a target that would not be taken, and the picker must not count on one that has not accepted.
func (f *Finder) tryFirst(d *dialAttempt) (done bool, errno unix.Errno) {
	// To send nothing tells whether it has accepted.
	if _, errno := f.loop.Calls.Send(d.socket.FD, nil); errno != 0 {
		return false, ignoring(errno, unix.EAGAIN)
	}
	if !f.search.Trust(d.id) {
		return false, 0
	}
	sent, targetErr, clientErr := f.client.SendFirst(d.socket.FD)
	switch {
	case clientErr != 0:
		f.search.ClientGone()
		return true, 0
	case sent:
		f.search.AcceptedTrusted(d.id)
	}
	return sent, targetErr
}

// ignoring returns an error unless it is one that does not matter.
func ignoring(errno, ignored unix.Errno) unix.Errno {
	if errno == ignored {
		return 0
	}
	return errno
}
