package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The first byte that a client sends says what it wants of the target.
const (
	wantEcho = 'e' // all bytes back, this one included
	wantDown = 'd' // bytes without end
	wantUp   = 'u' // nothing: the target swallows what comes
)

const (
	modeCommand  = 1 // standard input
	modeListener = 2
)

// bulkSize is what a bulk sender hands to the kernel, and a bulk receiver takes, in one call at most.
const bulkSize = 256 << 10

// serving is what the target knows of one descriptor.
type serving struct {
	mode    byte   // one of the modes above, a wish, or 0 while the client has said nothing
	pending []byte // what is to be echoed once the socket takes more
	full    bool   // watched for room to write, not for bytes to read
}

// targets serves all targets of a round in one loop on one thread.
type targets struct {
	poll      *poller
	served    []serving // by descriptor
	listeners []int
	buffer    []byte
	fillers   []int // the connections that keep the accept queues of black holes full
}

// runTarget listens on the addresses and serves until standard input ends. A line there makes the target of a number
// fail: "refuse 1" closes it, "hole 1" makes it swallow SYNs. Each is answered by a line.
func runTarget(addresses []string) error {
	poll, err := newPoller()
	if err != nil {
		return err
	}
	t := &targets{poll: poll, buffer: make([]byte, bulkSize)}
	t.watch(0, modeCommand, unix.EPOLLIN)
	for _, text := range addresses {
		if err := t.listen(text); err != nil {
			return fmt.Errorf("listening on %s: %w", text, err)
		}
	}
	fmt.Println("listening")
	for {
		for _, event := range poll.wait(-1) {
			t.on(int(event.Fd))
		}
	}
}

func (t *targets) listen(text string) error {
	address, err := parseAddress(text)
	if err != nil {
		return err
	}
	fd, errno := newSocket()
	if errno != 0 {
		return errno
	}
	setOption(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	setOption(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // inherited by what is accepted
	if errno := bind(fd, &address); errno != 0 {
		return errno
	}
	if err := unix.Listen(fd, 4096); err != nil {
		return err
	}
	t.listeners = append(t.listeners, fd)
	t.watch(fd, modeListener, unix.EPOLLIN)
	return nil
}

func (t *targets) watch(fd int, mode byte, mask uint32) {
	for fd >= len(t.served) {
		t.served = append(t.served, serving{})
	}
	t.served[fd] = serving{mode: mode}
	t.poll.control(unix.EPOLL_CTL_ADD, fd, mask, int32(fd))
}

func (t *targets) on(fd int) {
	switch s := &t.served[fd]; s.mode {
	case modeCommand:
		t.command()
	case modeListener:
		t.accept(fd)
	case wantDown:
		t.pour(fd)
	case wantUp:
		t.swallow(fd)
	default:
		if s.full {
			t.flush(fd, s)
		} else {
			t.read(fd, s)
		}
	}
}

// accept takes a burst, but not all there may ever be, so that open connections get their turn.
func (t *targets) accept(listener int) {
	for range 64 {
		fd, errno := accept(listener)
		if errno != 0 {
			return
		}
		t.watch(fd, 0, unix.EPOLLIN)
	}
}

// read takes what a client says: its wish, or more to echo.
func (t *targets) read(fd int, s *serving) {
	n, errno := receive(fd, t.buffer)
	if errno == unix.EAGAIN {
		return
	}
	if errno != 0 || n == 0 {
		t.end(fd)
		return
	}
	if s.mode == 0 {
		switch s.mode = t.buffer[0]; s.mode {
		case wantDown:
			t.poll.control(unix.EPOLL_CTL_MOD, fd, unix.EPOLLOUT, int32(fd))
			return
		case wantUp:
			return
		}
	}
	s.pending = t.buffer[:n]
	t.flush(fd, s)
}

// flush echoes what is pending and sees to it that the loop comes back for the rest.
func (t *targets) flush(fd int, s *serving) {
	n, errno := send(fd, s.pending)
	switch {
	case errno == unix.EAGAIN:
		n = 0
	case errno != 0:
		t.end(fd)
		return
	}
	rest := s.pending[n:]
	switch {
	case len(rest) == 0:
		s.pending = nil
		if s.full {
			s.full = false
			t.poll.control(unix.EPOLL_CTL_MOD, fd, unix.EPOLLIN, int32(fd))
		}
	case s.full:
		s.pending = rest
	default:
		// The buffer is everybody's, the rest must wait elsewhere.
		s.pending, s.full = append([]byte(nil), rest...), true
		t.poll.control(unix.EPOLL_CTL_MOD, fd, unix.EPOLLOUT, int32(fd))
	}
}

// pour writes a few times, not without end: a receiver that keeps up must not starve the others.
func (t *targets) pour(fd int) {
	for range 4 {
		n, errno := send(fd, t.buffer)
		if errno == unix.EAGAIN || errno == 0 && n < len(t.buffer) {
			return
		}
		if errno != 0 {
			t.end(fd)
			return
		}
	}
}

func (t *targets) swallow(fd int) {
	n, errno := receive(fd, t.buffer)
	if n == 0 || errno != 0 && errno != unix.EAGAIN {
		t.end(fd)
	}
}

func (t *targets) end(fd int) {
	t.served[fd] = serving{}
	closeSocket(fd)
}

// command obeys a line of standard input.
func (t *targets) command() {
	line := make([]byte, 64)
	n, err := syscall.Read(0, line)
	if n <= 0 || err != nil {
		os.Exit(0) // nobody is left to serve for
	}
	what, number, _ := strings.Cut(strings.TrimSpace(string(line[:n])), " ")
	index, err := strconv.Atoi(number)
	if err == nil && index < len(t.listeners) {
		switch what {
		case faultRefused:
			t.end(t.listeners[index])
		case faultHole:
			err = t.swallowSYNs(t.listeners[index])
		}
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("done")
}

// swallowSYNs makes a listener a black hole: its accept queue is full and nobody accepts, so that the kernel drops
// every SYN. That is what a target behind a dead link or a dropping firewall looks like.
func (t *targets) swallowSYNs(listener int) error {
	t.poll.control(unix.EPOLL_CTL_DEL, listener, 0, 0)
	t.accept(listener)
	// A backlog of 0 leaves room for one connection.
	if err := unix.Listen(listener, 0); err != nil {
		return err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return err
	}
	name := address.(*unix.SockaddrInet4)
	to := rawAddress(name.Addr, uint16(name.Port))
	for range 4 {
		fd, errno := newSocket()
		if errno != 0 {
			return errno
		}
		if errno := connect(fd, &to); errno != 0 && errno != unix.EINPROGRESS {
			return errno
		}
		t.fillers = append(t.fillers, fd)
	}
	time.Sleep(20 * time.Millisecond)
	return nil
}
