package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// client does a job.
type client struct {
	*engine
	job    *job
	next   int // how many source addresses have been taken
	idle   []*flow
	stdin  *bufio.Reader
	result outcome
}

// runClient does the job that is given as JSON, and writes the outcome as JSON. Some jobs have a point at which they write
// the line "ready" and wait for a line.
func runClient(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return fmt.Errorf("reading the job: %w", err)
	}
	e, err := newEngine(&j)
	if err != nil {
		return err
	}
	c := &client{engine: e, job: &j, stdin: bufio.NewReader(os.Stdin)}
	c.failed = c.rest
	work := map[string]func() error{
		kindConnect: c.connects, kindKnown: c.known, kindTrips: c.trips, kindDown: c.down, kindUp: c.up,
		kindHold: c.hold, kindFault: c.fault, kindReload: c.reload,
	}[j.Kind]
	if work == nil {
		return fmt.Errorf("there is no job %q", j.Kind)
	}
	if err := work(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(c.result)
}

// ready lets the benchmark do what belongs between two phases.
func (c *client) ready() error {
	fmt.Println("ready")
	if _, err := c.stdin.ReadString('\n'); err != nil {
		return fmt.Errorf("waiting for a word: %w", err)
	}
	return nil
}

// source returns the number of the next client.
func (c *client) source() int {
	client := c.job.First + c.next%c.job.Sources
	c.next++
	return client
}

// rest puts a flow aside until the next tick. One that failed is not tried again at once: a balancer that refuses would be
// asked many thousand times a second.
func (c *client) rest(f *flow) { c.idle = append(c.idle, f) }

// again is the usual tick: flows at rest begin anew.
func (c *client) again() {
	idle := c.idle
	c.idle = nil
	for _, f := range idle {
		c.begin(f)
	}
}

func (c *client) begin(f *flow) {
	c.connect(f, c.source())
	c.ask(f)
}

// measure counts what is done within the window, after the warm-up, and reads the processor times at its edges.
func (c *client) measure(tick func()) error {
	c.during(c.job.Warm, tick)
	before, err := c.processorTimes()
	if err != nil {
		return err
	}
	c.reset()
	began := c.clock()
	c.during(c.job.Window, tick)
	c.result.Seconds = (c.clock() - began).Seconds()
	c.result.Groups = c.sum()
	after, err := c.processorTimes()
	if err != nil {
		return err
	}
	c.result.ClientCPU, c.result.BalancerCPU = after[0]-before[0], after[1]-before[1]
	c.result.TargetCPU, c.result.StoreCPU = after[2]-before[2], after[3]-before[3]
	return nil
}

// processorTimes returns those of the clients, the balancer, the targets and the store.
func (c *client) processorTimes() (times [4]time.Duration, err error) {
	var own unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &own); err != nil {
		return times, err
	}
	times[0] = time.Duration(own.Nano())
	for i, group := range []int{c.job.Balancer, c.job.Target, c.job.Store} {
		if group != 0 {
			if times[1+i], err = groupCPU(group); err != nil {
				return times, err
			}
		}
	}
	return times, nil
}

// connects opens a connection, sends a message, reads the answer, closes the connection, and opens the next.
func (c *client) connects() error { return c.comeAndGo(c.grow(c.job.Conns)) }

// known is connects for clients that have a session: each has connected once before, or as many of them as are long-lived have a connection
// that stays open.
func (c *client) known() error {
	flows := c.grow(c.job.Conns + c.job.Long)
	brief, long := flows[:c.job.Conns], flows[c.job.Conns:]
	if len(long) > 0 {
		c.fill(long)
	} else if err := c.acquaint(); err != nil {
		return err
	}
	c.next, c.failed = 0, c.rest
	return c.comeAndGo(brief)
}

func (c *client) comeAndGo(flows []flow) error {
	c.answered = func(f *flow) {
		c.close(f)
		c.begin(f)
	}
	for i := range flows {
		c.begin(&flows[i])
	}
	return c.measure(c.again)
}

// trips sends a message on each of a number of connections that stay open, and the next when it was answered.
func (c *client) trips() error {
	c.answered = func(f *flow) {
		f.began = c.clock()
		c.ask(f)
	}
	flows := c.grow(c.job.Conns)
	for i := range flows {
		c.begin(&flows[i])
	}
	return c.measure(c.again)
}

// hold opens connections of as many clients, exchanges a message on each, and keeps them open while the benchmark looks at the
// balancer's memory.
func (c *client) hold() error {
	c.fill(c.grow(c.job.Conns))
	if err := c.ready(); err != nil {
		return err
	}
	// The events of connections that ended meanwhile.
	c.failed = func(*flow) {}
	for range 10 {
		c.turn(0)
	}
	c.result.Groups = c.sum()
	return nil
}

// fill opens connections, exchanges a message on each, and returns when all are there.
func (c *client) fill(flows []flow) {
	begun, held := 0, 0
	c.answered = func(*flow) {
		held++
		if begun < len(flows) {
			begun++
			c.begin(&flows[begun-1])
		}
	}
	c.failed = c.answered // it is counted as a failure
	// Few at a time: a crowd would make the balancer grow by buffers that an idle connection has not.
	for range min(32, len(flows)) {
		begun++
		c.begin(&flows[begun-1])
	}
	for held < len(flows) {
		c.turn(100)
	}
}
