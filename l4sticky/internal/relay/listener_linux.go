package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// acceptBurst is how many connections are accepted before it is the turn of those that there are.
	acceptBurst = 64
	// maxQueue is how many accepted connections may wait for an Accept; more wait in the kernel.
	maxQueue = 1024
)

// doors are the listening sockets by network and address.
var doors = struct {
	sync.Mutex
	open map[string]*door
}{open: make(map[string]*door)}

// A door is a listening socket. It stays open while a Listener uses it, so that connections that wait in it are not
// reset when one config takes over from another. What comes in by it goes to the newest of its listeners that serves;
// while none does, it waits in the kernel.
type door struct {
	key   string
	loop  *Loop
	fd    int32
	slot  int
	addr  *net.TCPAddr
	fixed bool // addr is the local address of all its connections

	mu        sync.Mutex
	listeners []*Listener // the newest last; empty when the door is closed
	paused    bool
}

// A Listener is a config's use of a listening socket.
type Listener struct {
	door   *door
	wake   chan struct{} // gets a value when there is a reason to look again
	closed atomic.Bool
	queued atomic.Int32
	unbind func() bool // makes the end of the context not close the listener any more

	queue   []*Conn     // guarded by the door's lock
	serving func() bool // likewise; nil once it has said yes
}

// Listen returns a listener for a TCP address. The listeners for one address share one socket, which is open as long
// as any of them is. How to open it is the caller's; it must use the config that it is given.
//
// A listener gets connections once serving has said that its config does, which it is asked now and then; nil means from
// the start. It is closed when the context ends, so that a config that is refused half-way leaves nothing open.
func Listen(ctx context.Context, address string, config net.ListenConfig, open Open, serving func() bool) (net.Listener, error) {
	doors.Lock()
	defer doors.Unlock()
	d := doors.open[address]
	if d == nil {
		var err error
		if d, err = openDoor(ctx, config, open); err != nil {
			return nil, err
		}
		d.key = address
		doors.open[address] = d
	}
	ln := &Listener{door: d, wake: make(chan struct{}, 1), serving: serving}
	ln.unbind = context.AfterFunc(ctx, func() { _ = ln.Close() })
	d.mu.Lock()
	first := len(d.listeners) == 0
	d.listeners = append(d.listeners, ln)
	d.mu.Unlock()
	if first {
		d.loop.post(d.watch)
	}
	return ln, nil
}

func openDoor(ctx context.Context, config net.ListenConfig, open Open) (*door, error) {
	loop, err := mainLoop()
	if err != nil {
		return nil, err
	}
	// The socket is the same by a descriptor of its own, which Go's poller does not know.
	fd := int32(-1)
	control := config.Control
	config.Control = func(network, address string, raw syscall.RawConn) error {
		if fd >= 0 {
			sysClose(fd) // of a try that failed
		}
		if fd, err = duplicateRaw(raw); err != nil || control == nil {
			return err
		}
		return control(network, address, raw)
	}
	ln, err := open(ctx, config)
	if err != nil {
		if fd >= 0 {
			sysClose(fd)
		}
		return nil, err
	}
	defer ln.Close()
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || fd < 0 {
		return nil, fmt.Errorf("%v is no TCP address", ln.Addr())
	}
	DefaultKeepAlive.setOptions(fd)
	return &door{loop: loop, fd: fd, slot: -1, addr: addr, fixed: !addr.IP.IsUnspecified()}, nil
}

// duplicate returns a descriptor of its own for a socket, which Go's poller does not know.
func duplicate(socket syscall.Conn) (int32, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return -1, err
	}
	return duplicateRaw(raw)
}

func duplicateRaw(raw syscall.RawConn) (int32, error) {
	fd, err := -1, error(nil)
	if controlErr := raw.Control(func(original uintptr) {
		fd, err = unix.FcntlInt(original, unix.F_DUPFD_CLOEXEC, 3)
	}); controlErr != nil {
		return -1, controlErr
	}
	return int32(fd), os.NewSyscallError("fcntl", err)
}

// watch has the loop accept. It is called by the loop.
func (d *door) watch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paused = false
	if len(d.listeners) == 0 {
		return
	}
	if d.slot < 0 {
		if d.slot = slices.Index(d.loop.doors, closedDoor); d.slot < 0 {
			d.slot = len(d.loop.doors)
			d.loop.doors = append(d.loop.doors, nil)
		}
		d.loop.doors[d.slot] = d
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(d.slot<<2) | ofDoor}
	if errno := sysControl(d.loop.epoll, unix.EPOLL_CTL_ADD, d.fd, &event); errno != 0 && errno != unix.EEXIST {
		report("watching a listening socket", errno)
		d.unsyncedPause()
	}
}

// unsyncedPause accepts nothing for a while, since there is no room. The lock must be held.
func (d *door) unsyncedPause() {
	if d.paused {
		return
	}
	d.paused = true
	sysControl(d.loop.epoll, unix.EPOLL_CTL_DEL, d.fd, new(unix.EpollEvent))
	time.AfterFunc(acceptPause, func() { d.loop.post(d.watch) })
}

// accept takes in connections that wait.
func (d *door) accept(l *Loop) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.listeners) == 0 {
		return
	}
	ln := d.unsyncedServing()
	if ln == nil {
		d.unsyncedPause()
		return
	}
	for range acceptBurst {
		if len(ln.queue) >= maxQueue {
			d.unsyncedPause()
			break
		}
		if !descriptors.admit(l.now) {
			report("accepting a connection", errNoDescriptors)
			d.unsyncedPause()
			reclaim()
			break
		}
		fd, remote, errno := sysAccept(d.fd)
		if errno != 0 {
			descriptors.release(true)
		}
		switch errno {
		case 0:
			ln.queue = append(ln.queue, newConn(d, fd, remote))
			continue
		case unix.ECONNABORTED, unix.EINTR, unix.EPROTO:
			continue
		case unix.EAGAIN:
		default:
			report("accepting a connection", os.NewSyscallError("accept4", errno))
			d.unsyncedPause()
		}
		break
	}
	if n := int32(len(ln.queue)); n > 0 {
		ln.queued.Store(n)
		if l.accepting != ln {
			ln.signal()
			l.yield = true
		}
	}
}

// unsyncedServing returns the newest listener that serves, or nil if none does yet. The lock must be held.
func (d *door) unsyncedServing() *Listener {
	for _, ln := range slices.Backward(d.listeners) {
		if ln.serving == nil || ln.serving() {
			ln.serving = nil
			return ln
		}
	}
	return nil
}

func (ln *Listener) signal() {
	select {
	case ln.wake <- struct{}{}:
	default:
	}
}

// Accept returns the next connection. Running out of descriptors is no error: it waits until there are some.
func (ln *Listener) Accept() (net.Conn, error) {
	for {
		if ln.closed.Load() {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: ln.door.addr, Err: net.ErrClosed}
		}
		if conn := ln.next(); conn != nil {
			return conn, nil
		}
		ln.door.loop.driver.drive(ln)
	}
}

func (ln *Listener) next() *Conn {
	if ln.queued.Load() == 0 {
		return nil
	}
	ln.door.mu.Lock()
	defer ln.door.mu.Unlock()
	if len(ln.queue) == 0 {
		return nil
	}
	conn := ln.queue[0]
	ln.queue[0] = nil
	if ln.queue = ln.queue[1:]; len(ln.queue) == 0 {
		ln.queue = nil
	}
	ln.queued.Store(int32(len(ln.queue)))
	return conn
}

// Close ends the listener. The socket is closed with the last one; until then the others get what comes, including
// what this one had accepted and not returned.
func (ln *Listener) Close() error {
	if ln.closed.Swap(true) {
		return &net.OpError{Op: "close", Net: "tcp", Addr: ln.door.addr, Err: net.ErrClosed}
	}
	d := ln.door
	doors.Lock()
	d.mu.Lock()
	ln.unbind()
	d.listeners = slices.DeleteFunc(d.listeners, func(other *Listener) bool { return other == ln })
	left := ln.queue
	ln.queue = nil
	if n := len(d.listeners); n > 0 {
		heir := d.unsyncedServing()
		if heir == nil {
			heir = d.listeners[n-1]
		}
		heir.queue = append(heir.queue, left...)
		heir.queued.Store(int32(len(heir.queue)))
		heir.signal()
		left = nil
	} else {
		delete(doors.open, d.key)
		sysClose(d.fd)
		d.loop.post(d.remove)
	}
	d.mu.Unlock()
	doors.Unlock()
	for _, conn := range left {
		_ = conn.Close()
	}
	ln.signal()
	d.loop.nudge()
	return nil
}

// remove forgets a closed door. It is called by the loop.
func (d *door) remove() {
	if d.slot >= 0 {
		d.loop.doors[d.slot] = closedDoor
	}
}

// closedDoor stands where a door was, for events on their way.
var closedDoor = new(door)

// Addr returns the address that the listener listens on.
func (ln *Listener) Addr() net.Addr { return ln.door.addr }

var errTaken = errors.New("the connection was handed over")

// newConn returns a connection that was just accepted.
func newConn(d *door, fd int32, remote netip.AddrPort) *Conn {
	c := &Conn{door: d, fd: fd, promised: promised | pending}
	addr := remote.Addr()
	c.remote.Port, c.remote.Zone = int(remote.Port()), addr.Zone()
	if addr.Is4() {
		ip := addr.As4()
		c.remote.IP = append(c.ip[:0], ip[:]...)
	} else {
		c.ip = addr.As16()
		c.remote.IP = c.ip[:]
	}
	return c
}
