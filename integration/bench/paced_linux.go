package main

import "time"

// fault lets clients in, waits until the benchmark has made a target fail, and goes on with clients that have a session and
// new ones by turns, at a steady rate that does not wait for answers.
func (c *client) fault() error {
	count := int(c.job.Window.Seconds() * float64(c.job.Rate))
	flows := c.grow(count)
	if err := c.acquaint(); err != nil {
		return err
	}
	if err := c.ready(); err != nil {
		return err
	}
	c.reset()
	left := count
	c.answered = func(f *flow) {
		c.close(f)
		left--
	}
	c.failed = func(*flow) { left-- }
	start := c.clock()
	for begun := 0; left > 0; c.turn(1) {
		due := min(count, 1+int((c.clock()-start).Seconds()*float64(c.job.Rate)))
		for ; begun < due; begun++ {
			f := &flows[begun]
			f.group = begun % 2
			client := c.job.First + begun/2%c.job.Sources
			if f.group == groupNew {
				client += c.job.Sources
			}
			c.connect(f, client)
			c.ask(f)
		}
	}
	c.result.Seconds = (c.clock() - start).Seconds()
	c.result.Groups = c.sum()
	return nil
}

// acquaint connects once from each source address.
func (c *client) acquaint() error {
	left := c.job.Sources
	c.answered = func(f *flow) {
		c.close(f)
		if left--; left > 0 {
			c.begin(f)
		}
	}
	c.failed = c.answered
	for i := range min(c.job.Conns, c.job.Sources, len(c.flows)) {
		c.begin(&c.flows[i])
	}
	for left > 0 {
		c.turn(10)
	}
	// Those that were begun beyond the count end as well.
	c.answered = func(f *flow) { c.close(f) }
	c.failed = func(*flow) {}
	c.during(50*time.Millisecond, func() {})
	for i := range c.flows {
		c.close(&c.flows[i])
	}
	return nil
}

// pause is how long a connection that stays rests between an answer and its next message.
const pause = 20 * time.Millisecond

// reload has connections that come and go as fast as they can, and others that stay and talk now and then, while the benchmark
// reloads the balancer.
func (c *client) reload() error {
	flows := c.grow(c.job.Conns + c.job.Long)
	brief, long := flows[:c.job.Conns], flows[c.job.Conns:]
	c.answered = func(f *flow) {
		if f.group == groupHeld {
			f.began = c.clock()
			return
		}
		c.close(f)
		c.begin(f)
	}
	c.failed = func(f *flow) {
		if f.group == groupNew {
			c.rest(f)
		} // one that stays is not replaced
	}
	for i := range long {
		long[i].group = groupHeld
		c.begin(&long[i])
	}
	for i := range brief {
		c.begin(&brief[i])
	}
	tick := func() {
		c.again()
		now := c.clock()
		for i := range long {
			if f := &long[i]; f.open && !f.waits && now > f.began+pause {
				f.began = now
				c.ask(f)
			}
		}
	}
	c.during(c.job.Warm, tick)
	if err := c.ready(); err != nil {
		return err
	}
	return c.measure(tick)
}
