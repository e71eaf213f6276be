package listen

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

// sharedSockets are the listening sockets of listenShared by address.
var sharedSockets = struct {
	sync.Mutex
	open map[string]*sharedSocket
}{open: make(map[string]*sharedSocket)}

// Open opens the listening socket of an address with the options of the config.
type Open func(context.Context, net.ListenConfig) (net.Listener, error)

// A sharedSocket is a listening socket that stays open while a listener uses it. What comes in by it goes to the newest of
// its listeners that serves.
type sharedSocket struct {
	key string
	net.Listener

	mu        sync.Mutex
	listeners []*sharedListener // the newest last
}

// A sharedListener is a config's use of a socket.
type sharedListener struct {
	socket *sharedSocket
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
	unbind func() bool // makes the end of the context not close the listener any more
	start
}

// listenShared is Listen for systems without event loops: a goroutine accepts for all listeners of an address.
func listenShared(ctx context.Context, address string, config net.ListenConfig, open Open, serving func() bool) (net.Listener, error) {
	sharedSockets.Lock()
	defer sharedSockets.Unlock()
	s := sharedSockets.open[address]
	if s == nil {
		ln, err := open(ctx, config)
		if err != nil {
			return nil, err
		}
		s = &sharedSocket{key: address, Listener: ln}
		sharedSockets.open[address] = s
		go safely.Do("accept", s.accept)
	}
	ln := &sharedListener{socket: s, conns: make(chan net.Conn), closed: make(chan struct{}), start: start{serving}}
	ln.unbind = context.AfterFunc(ctx, safely.Func("end of a listener", func() { _ = ln.Close() }))
	s.mu.Lock()
	s.listeners = append(s.listeners, ln)
	s.mu.Unlock()
	return ln, nil
}

// accept takes in connections until the socket is closed.
func (s *sharedSocket) accept() {
	for {
		conn, err := s.Listener.Accept()
		if err == nil {
			safely.Do("accept", func() { s.deliver(conn) }, func() { _ = conn.Close() })
			continue
		}
		if !s.inUse() {
			return
		}
		eventloop.Report("accepting a connection", err)
		time.Sleep(eventloop.ShortagePause)
	}
}

// deliver hands a connection to the newest listener that serves and takes it.
func (s *sharedSocket) deliver(conn net.Conn) {
	safely.Reach("accept")
	for s.inUse() {
		ln := s.serving()
		if ln == nil {
			time.Sleep(eventloop.ShortagePause)
			continue
		}
		select {
		case ln.conns <- conn:
			return
		case <-ln.closed:
		}
	}
	_ = conn.Close()
}

func (s *sharedSocket) inUse() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.listeners) > 0
}

// serving returns the newest listener that serves, or nil if none does.
func (s *sharedSocket) serving() *sharedListener {
	s.mu.Lock()
	defer s.mu.Unlock()
	return newestServing(s.listeners)
}

// Accept returns the next connection.
func (ln *sharedListener) Accept() (net.Conn, error) {
	select {
	case conn := <-ln.conns:
		return conn, nil
	case <-ln.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: ln.Addr(), Err: net.ErrClosed}
	}
}

// Close ends the listener, and the socket with its last one.
func (ln *sharedListener) Close() error {
	err := error(&net.OpError{Op: "close", Net: "tcp", Addr: ln.Addr(), Err: net.ErrClosed})
	ln.once.Do(func() {
		s := ln.socket
		sharedSockets.Lock()
		defer sharedSockets.Unlock()
		ln.unbind()
		s.mu.Lock()
		s.listeners = slices.DeleteFunc(s.listeners, func(other *sharedListener) bool { return other == ln })
		last := len(s.listeners) == 0
		s.mu.Unlock()
		close(ln.closed)
		if err = nil; last {
			delete(sharedSockets.open, s.key)
			err = s.Listener.Close()
		}
	})
	return err
}

// Addr returns the address that the listener listens on.
func (ln *sharedListener) Addr() net.Addr { return ln.socket.Listener.Addr() }
