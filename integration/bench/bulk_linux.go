package main

import (
	"bytes"

	"golang.org/x/sys/unix"
)

// down receives as much as it can on each connection, and copies it as any client would: one that only threw the bytes away
// would wait for the next ones all the time, and make balancers pay for waking it.
func (c *client) down() error {
	buffer := make([]byte, bulkSize)
	return c.bulk(wantDown, unix.EPOLLIN, func(f *flow) {
		n, errno := receive(f.fd, buffer)
		switch {
		case errno == unix.EAGAIN:
		case errno != 0:
			c.fail(f, fault(errno))
		case n == 0:
			c.fail(f, "ended early")
		default:
			c.tallies[f.group].bytes += int64(n)
		}
	})
}

// up sends as much as it can on each connection.
func (c *client) up() error {
	data := bytes.Repeat([]byte{wantUp}, bulkSize)
	return c.bulk(wantUp, unix.EPOLLOUT, func(f *flow) {
		// A few times, not until the socket is full: one connection must not starve the others.
		for range 4 {
			n, errno := send(f.fd, data)
			if errno != 0 && errno != unix.EAGAIN {
				c.fail(f, fault(errno))
			}
			if errno != 0 {
				return
			}
			c.tallies[f.group].bytes += int64(n)
			if n < len(data) {
				return
			}
		}
	})
}

// bulk opens the connections, says what is wanted of the target, and leaves their events to a function.
func (c *client) bulk(want byte, mask uint32, move func(*flow)) error {
	c.message = []byte{want}
	settle := func(f *flow) {
		if f.open && f.unsent == 0 {
			c.watch(f, mask)
		}
	}
	c.on = func(f *flow) {
		if f.unsent > 0 {
			c.push(f) // the wish, as soon as it is connected
			settle(f)
			return
		}
		move(f)
	}
	flows := c.grow(c.job.Conns)
	for i := range flows {
		f := &flows[i]
		c.connect(f, c.source())
		c.ask(f)
		settle(f)
		f.waits = false // for no answer that could be overdue
	}
	return c.measure(func() {})
}
