package integration

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A chaosClient is one address from which connections come.
type chaosClient struct {
	run    *chaosRun
	number uint64
	ip     netip.Addr
	rng    *rand.Rand

	mu    sync.Mutex
	stays []*stay // the newest last
}

// A habit is how a client treats a connection.
type habit int

const (
	// ending clients end their direction when they have sent all, and read to the end.
	endingFirst habit = iota
	// waiting ones read all that they want, and close.
	waiting
	// breaking ones reset the connection midway.
	breaking
	// hurried ones leave at once.
	hurried
)

// ways are all that a client decides about a connection.
type chaosPlan struct {
	hello
	habit   habit
	reads   int64
	reading pause
	writing pause
	lasts   time.Duration // until a hurried one leaves
	speaks  bool          // a hurried one says hello
	resets  bool          // it leaves by a reset
	waits   bool          // it says nothing until it is greeted
}

func (c *chaosClient) plan(number uint64) chaosPlan {
	p := chaosPlan{hello: hello{id: c.number<<40 | number, ip: c.ip, up: randomSize(c.rng), down: randomSize(c.rng)}}
	p.reads = p.down
	switch n := c.rng.IntN(100); {
	case n < 60:
		p.habit, p.endsUp = endingFirst, true
		p.reads = endless
	case n < 85 || c.run.mild:
		p.habit = waiting
	case n < 94:
		p.habit, p.resets, p.endsUp = breaking, true, c.rng.IntN(2) == 0
		p.reads = c.rng.Int64N(p.down + 1)
	default:
		p.habit, p.lasts, p.speaks, p.resets = hurried, randomTime(c.rng, 40*time.Millisecond), c.rng.IntN(2) == 0, c.rng.IntN(2) == 0
	}
	p.reading, p.writing = randomPause(c.rng, p.down), randomPause(c.rng, p.up)
	p.waits = p.habit != hurried && c.rng.IntN(3) == 0
	return p
}

// randomSize mostly is small, so that a buffer takes it, and now and then so large that it is worth a pipe.
func randomSize(rng *rand.Rand) int64 {
	switch n := rng.IntN(1000); {
	case n < 700:
		return rng.Int64N(2 * kiB)
	case n < 950:
		return rng.Int64N(64 * kiB)
	case n < 985:
		return rng.Int64N(512 * kiB)
	}
	return rng.Int64N(4 * miB)
}

// live connects again and again until the run ends: mostly once at a time, now and then several times beside
// a connection that stays.
func (c *chaosClient) live() {
	number := uint64(0)
	next := func() chaosPlan {
		number++
		return c.plan(number)
	}
	for c.run.admit() {
		p, company, way := next(), 0, c.run.way(c.rng)
		if c.rng.IntN(5) == 0 && p.habit != hurried {
			company = 1 + c.rng.IntN(3)
			c.run.left.Add(-int64(company))
			p.writing = pause{p.writing.behind, 20*time.Millisecond + randomTime(c.rng, 600*time.Millisecond)}
		}
		var all sync.WaitGroup
		all.Go(func() { c.connect(p, way) })
		for range company {
			c.run.sleep(randomTime(c.rng, 10*time.Millisecond))
			c.connect(next(), c.run.way(c.rng))
		}
		all.Wait()
		c.run.release()
	}
}

// connect makes one connection, and tells the oracle what it did and saw.
func (c *chaosClient) connect(p chaosPlan, way *entrance) {
	h := &clientHalf{hello: p.hello, way: way, began: c.run.now()}
	defer func() {
		h.over = c.run.now()
		c.run.oracle.client(h)
	}()
	conn, err := tryDial(c.ip.String(), way.address())
	if err != nil {
		h.end, h.err = broken, err
		h.connected = errors.Is(err, syscall.ECONNRESET) // so fast that the dial is told
		return
	}
	defer conn.Close()
	h.connected = true
	_ = conn.SetDeadline(time.Now().Add(chaosPatience))
	if p.habit == hurried {
		h.hurry(conn, p)
		return
	}
	var sending sync.WaitGroup
	var writeErr error
	here, greeted := &stay{began: h.began}, make(chan bool, 1)
	sending.Go(func() {
		if !p.waits || <-greeted {
			writeErr = c.send(conn, h, p, here)
		}
	})
	ended, err := c.receive(conn, h, p, here, greeted)
	if p.habit == breaking && !ended && err == nil {
		c.part(here)
		reset(conn)
		h.left = true
	}
	sending.Wait()
	h.end, h.err = endingOf(ended, err, writeErr)
	if !h.left {
		c.part(here)
		conn.Close()
		h.ended = true
	}
}

// hurry leaves while the target is being dialled, or soon after.
func (h *clientHalf) hurry(conn *net.TCPConn, p chaosPlan) {
	h.left = true
	if p.speaks {
		n, _ := conn.Write(p.hello.bytes())
		h.sent = int64(n)
	}
	time.Sleep(p.lasts)
	if p.resets {
		reset(conn)
		return
	}
	conn.Close()
	h.ended = true
}

// send says hello and all that the client has to say.
func (c *chaosClient) send(conn *net.TCPConn, h *clientHalf, p chaosPlan, here *stay) error {
	n, err := conn.Write(p.hello.bytes())
	h.sent = int64(n)
	if err != nil {
		return err
	}
	stream := newPattern(p.id, false)
	more, err := stream.send(conn, p.up, p.writing)
	if h.sent += more; err == nil && p.endsUp {
		c.part(here)
		h.ended = conn.CloseWrite() == nil
	}
	return err
}

// receive reads the greeting, and tells whether it came, and what the client wants to know.
func (c *chaosClient) receive(conn *net.TCPConn, h *clientHalf, p chaosPlan, here *stay, greeted chan<- bool) (ended bool, err error) {
	defer func() {
		if !h.greeted {
			greeted <- false
		}
	}()
	var b [greetingSize]byte
	n, ended, err := readUpTo(conn, b[:])
	h.got = int64(n)
	if ended || err != nil {
		return ended, err
	}
	if h.greeting, err = parseGreeting(b[:]); err != nil {
		return false, err
	}
	h.greeted = true
	greeted <- true
	c.arrive(here, h)
	stream := newPattern(p.id, true)
	got, ended, err := stream.receive(conn, p.reads, p.reading)
	h.got += got
	return ended, err
}
