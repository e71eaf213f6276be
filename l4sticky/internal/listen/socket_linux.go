package listen

import (
	"context"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
)

// acceptBurst is how many connections are accepted before it is the turn of those that there are.
const acceptBurst = 64

// sockets are the listening sockets by network and address.
var sockets = struct {
	sync.Mutex
	open map[string]*listenSocket
}{open: make(map[string]*listenSocket)}

// A listenSocket is the socket of an address. It stays open while a Listener uses it, so that connections that wait in it
// are not reset when one config takes over from another. What comes in by it goes to the newest of its listeners that
// serves; while none does, it waits in the kernel.
type listenSocket struct {
	key   string
	loop  *eventloop.Loop
	fd    int32
	addr  *net.TCPAddr
	fixed bool // addr is the local address of all its connections

	mu        sync.Mutex
	listeners []*Listener // the newest last; empty when the socket is closed
	paused    bool
}

func openSocket(ctx context.Context, config net.ListenConfig, open Open) (*listenSocket, error) {
	loop, err := eventloop.Main()
	if err != nil {
		return nil, err
	}
	// The socket is the same by a descriptor of its own, which Go's poller does not know.
	fd := int32(-1)
	control := config.Control
	config.Control = func(network, address string, raw syscall.RawConn) error {
		if fd >= 0 {
			eventloop.Close(fd) // of a try that failed
		}
		if fd, err = duplicateRaw(raw); err != nil || control == nil {
			return err
		}
		return control(network, address, raw)
	}
	ln, err := open(ctx, config)
	if err != nil {
		if fd >= 0 {
			eventloop.Close(fd)
		}
		return nil, err
	}
	defer ln.Close()
	addr, ok := ln.Addr().(*net.TCPAddr)
	if !ok || fd < 0 {
		return nil, fmt.Errorf("%v is no TCP address", ln.Addr())
	}
	keepalive.Default.ApplyTo(fd)
	return &listenSocket{loop: loop, fd: fd, addr: addr, fixed: !addr.IP.IsUnspecified()}, nil
}

// watch has the loop accept. It is called by the loop.
func (s *listenSocket) watch() {
	defer safely.Recover("listening socket", s.watchLater)
	safely.Reach("listening socket")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paused = false
	if len(s.listeners) == 0 {
		return
	}
	if errno := s.loop.WatchListening(s.fd, s); errno != 0 && errno != unix.EEXIST {
		eventloop.Report("watching a listening socket", errno)
		s.unsyncedPause()
	}
}

// unsyncedPause accepts nothing for a while, since there is no room. The lock must be held.
func (s *listenSocket) unsyncedPause() {
	if s.paused {
		return
	}
	s.paused = true
	s.loop.UnwatchListening(s.fd)
	s.watchLater()
}

func (s *listenSocket) watchLater() {
	time.AfterFunc(eventloop.ShortagePause, safely.Func("listening socket", func() { s.loop.Post(s.watch) }))
}

// Accept takes in connections that wait.
func (s *listenSocket) Accept() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.listeners) == 0 {
		return
	}
	safely.Reach("accept")
	ln := newestServing(s.listeners)
	if ln == nil {
		s.unsyncedPause()
		return
	}
	for range acceptBurst {
		if len(ln.queue) >= maxQueue {
			s.unsyncedPause()
			break
		}
		if !eventloop.Descriptors.Admit(s.loop.Now()) {
			eventloop.Report("accepting a connection", eventloop.ErrNoDescriptors)
			s.unsyncedPause()
			eventloop.Reclaim()
			break
		}
		fd, remote, errno := s.loop.Calls.Accept(s.fd)
		if errno != 0 {
			eventloop.Descriptors.Release(true)
		}
		switch errno {
		case 0:
			ln.queue = append(ln.queue, newConn(s, fd, remote))
			continue
		case unix.ECONNABORTED, unix.EINTR, unix.EPROTO:
			continue
		case unix.EAGAIN:
		default:
			eventloop.Report("accepting a connection", os.NewSyscallError("accept4", errno))
			s.unsyncedPause()
		}
		break
	}
	if n := len(ln.queue); n > 0 {
		ln.follower.SetQueued(n)
		if !ln.follower.Leads(s.loop) {
			ln.follower.Signal()
			s.loop.Yield()
		}
	}
}

// remove forgets a closed socket. It is called by the loop.
func (s *listenSocket) remove() { s.loop.ForgetListening(s) }
