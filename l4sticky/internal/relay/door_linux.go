package relay

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// acceptBurst is how many connections are accepted before it is the turn of those that there are.
const acceptBurst = 64

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

// watch has the loop accept. It is called by the loop.
func (d *door) watch() {
	defer safely.Recover("listening socket", d.watchLater)
	safely.Reach("listening socket")
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
	d.watchLater()
}

func (d *door) watchLater() {
	time.AfterFunc(acceptPause, safely.Func("listening socket", func() { d.loop.post(d.watch) }))
}

// accept takes in connections that wait.
func (d *door) accept(l *Loop) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.listeners) == 0 {
		return
	}
	safely.Reach("accept")
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

// remove forgets a closed door. It is called by the loop.
func (d *door) remove() {
	if d.slot >= 0 {
		d.loop.doors[d.slot] = closedDoor
	}
}

// closedDoor stands where a door was, for events on their way.
var closedDoor = new(door)
