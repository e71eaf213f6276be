package main

import (
	"bytes"
	"time"

	"golang.org/x/sys/unix"
)

// flow is one connection of a client, with at most one message under way.
type flow struct {
	index  int32 // in the engine's list, and the tag of its events
	fd     int
	open   bool
	waits  bool // for an answer
	group  int
	client int           // the number of its source address
	began  time.Duration // when the connection or the message did
	unsent int           // bytes left of the message
	unread int           // bytes left of the answer
	mask   uint32        // what it is watched for
}

// engine carries flows in one loop on one thread. What to do when a message was answered, or when its connection
// failed, is up to the kind of the job.
type engine struct {
	poll     *poller
	to       []unix.RawSockaddrInet4
	message  []byte
	buffer   []byte
	patience time.Duration
	flows    []flow
	start    time.Time
	swept    time.Duration
	tallies  [2]tally

	answered func(*flow)
	failed   func(*flow)
	// Takes events in place of the exchange of messages, where it is set.
	on func(*flow)
}

// tally counts what became of one group of flows.
type tally struct {
	latencies
	bytes  int64
	failed map[string]int
}

func newEngine(j *job) (*engine, error) {
	poll, err := newPoller()
	if err != nil {
		return nil, err
	}
	e := &engine{
		poll: poll, buffer: make([]byte, 64<<10), message: bytes.Repeat([]byte{wantEcho}, j.Size),
		patience: j.Patience, start: time.Now(),
	}
	for _, text := range j.To {
		address, err := parseAddress(text)
		if err != nil {
			return nil, err
		}
		e.to = append(e.to, address)
	}
	e.reset()
	return e, nil
}

func (e *engine) clock() time.Duration { return time.Since(e.start) }

// reset forgets what was counted so far.
func (e *engine) reset() {
	for i := range e.tallies {
		e.tallies[i] = tally{failed: make(map[string]int)}
	}
}

// grow makes n more flows and returns them. Flows taken before must not be used any more.
func (e *engine) grow(n int) []flow {
	for range n {
		e.flows = append(e.flows, flow{index: int32(len(e.flows))})
	}
	return e.flows[len(e.flows)-n:]
}

// source returns the address of the client of this number. They begin at 127.1.0.1, to be apart from the targets and from
// what balancers use themselves.
func source(client int) [4]byte {
	return [4]byte{127, byte(1 + client/62500), byte(client / 250 % 250), byte(1 + client%250)}
}

// connect opens a flow for a client.
func (e *engine) connect(f *flow, client int) {
	f.client, f.began, f.mask = client, e.clock(), 0
	fd, errno := newSocket()
	if errno != 0 {
		e.fail(f, fault(errno))
		return
	}
	f.fd, f.open = fd, true
	// Without this, the port would be chosen without a look at where the connection goes, and ports would run out.
	setOption(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	from := rawAddress(source(client), 0)
	if errno := bind(fd, &from); errno != 0 {
		e.fail(f, fault(errno))
		return
	}
	if errno := connect(fd, &e.to[client%len(e.to)]); errno != 0 && errno != unix.EINPROGRESS {
		e.fail(f, fault(errno))
	}
}

// ask sends the message on an open flow. One that is not connected yet sends it as soon as it is.
func (e *engine) ask(f *flow) {
	if f.open {
		f.unsent, f.unread, f.waits = len(e.message), len(e.message), true
		e.push(f)
	}
}

// push sends what is left of the message, as far as the socket takes it.
func (e *engine) push(f *flow) {
	n, errno := send(f.fd, e.message[len(e.message)-f.unsent:])
	switch {
	case errno == unix.EAGAIN:
		n = 0
	case errno != 0:
		e.fail(f, fault(errno))
		return
	}
	f.unsent -= n
	if f.unsent > 0 {
		e.watch(f, unix.EPOLLIN|unix.EPOLLOUT)
	} else {
		e.watch(f, unix.EPOLLIN)
	}
}

func (e *engine) watch(f *flow, mask uint32) {
	if f.mask == mask {
		return
	}
	op := unix.EPOLL_CTL_MOD
	if f.mask == 0 {
		op = unix.EPOLL_CTL_ADD
	}
	f.mask = mask
	e.poll.control(op, f.fd, mask, f.index)
}

// pull reads the answer.
func (e *engine) pull(f *flow) {
	n, errno := receive(f.fd, e.buffer)
	switch {
	case errno == unix.EAGAIN:
		return
	case errno != 0:
		e.fail(f, fault(errno))
		return
	case n == 0:
		e.fail(f, "ended early")
		return
	case n > f.unread || !bytes.Equal(e.buffer[:n], e.message[:n]):
		e.fail(f, "wrong answer")
		return
	}
	f.unread -= n
	e.tallies[f.group].bytes += int64(n)
	if f.unread == 0 {
		f.waits = false
		e.tallies[f.group].add(e.clock() - f.began)
		e.answered(f)
	}
}

func (e *engine) close(f *flow) {
	if f.open {
		closeSocket(f.fd)
	}
	f.open, f.waits = false, false
}

func (e *engine) fail(f *flow, reason string) {
	e.close(f)
	e.tallies[f.group].failed[reason]++
	e.failed(f)
}

// turn waits for events for at most so many milliseconds and sees to them.
func (e *engine) turn(milliseconds int) {
	for _, event := range e.poll.wait(milliseconds) {
		f := &e.flows[event.Fd]
		switch {
		case e.on != nil:
			e.on(f)
		case f.unsent > 0:
			e.push(f)
			if f.open && f.waits && event.Events&unix.EPOLLIN != 0 {
				e.pull(f)
			}
		default:
			e.pull(f)
		}
	}
	if now := e.clock(); now > e.swept+100*time.Millisecond {
		e.swept = now
		e.sweep(now)
	}
}

// sweep gives up on answers that are overdue.
func (e *engine) sweep(now time.Duration) {
	for i := range e.flows {
		if f := &e.flows[i]; f.waits && now > f.began+e.patience {
			t := &e.tallies[f.group]
			t.max = max(t.max, now-f.began) // the slowest of all, if not served
			e.fail(f, "timeout")
		}
	}
}

// during turns until the time is over, with a function called about every 10 ms.
func (e *engine) during(span time.Duration, tick func()) {
	var ticked time.Duration
	for now, end := e.clock(), e.clock()+span; now < end; now = e.clock() {
		if now > ticked+10*time.Millisecond {
			ticked = now
			tick()
		}
		e.turn(10)
	}
}

// sum tells what has been counted since the last reset.
func (e *engine) sum() (groups [2]group) {
	for i := range e.tallies {
		t := &e.tallies[i]
		groups[i] = group{
			Done: t.count, Bytes: t.bytes, Failed: t.failed,
			P50: t.quantile(0.5), P99: t.quantile(0.99), Max: t.max,
		}
	}
	return groups
}
