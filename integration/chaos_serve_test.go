package integration

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// A mood is how a target treats a connection.
type mood int

const (
	// obliging targets send what the client wants, end their direction and read what it sends, at the same time.
	obliging mood = iota
	// thoughtful ones read all before they send, and know that they have by the end of the stream if the client ends it.
	thoughtful
	// hasty ones send all and close without having read it.
	hasty
	// laconic ones end their direction before they have sent all that the client wants.
	laconic
	// resetting ones reset the connection midway.
	resetting
	// closing ones close it midway.
	closing
)

func (m mood) String() string {
	return [...]string{"obliges", "reads all before it answers", "answers early", "half-closes early", "resets midway", "closes midway"}[m]
}

// manners are all that a target decides about a connection.
type manners struct {
	mood       mood
	sends      int64 // so many bytes behind the greeting
	reading    pause
	writing    pause
	beforehand time.Duration
}

func mannersFor(rng *rand.Rand, h hello, mild bool) manners {
	m := manners{sends: h.down}
	switch n := rng.IntN(100); {
	case mild || n < 65:
		m.mood = obliging
	case n < 80:
		m.mood = thoughtful
	case n < 85:
		m.mood = hasty
	case n < 90:
		m.mood, m.sends = laconic, rng.Int64N(h.down+1)
	case n < 95:
		m.mood, m.sends = resetting, rng.Int64N(h.down+1)
	default:
		m.mood, m.sends = closing, rng.Int64N(h.down+1)
	}
	m.reading, m.writing = randomPause(rng, h.up), randomPause(rng, m.sends)
	if rng.IntN(20) == 0 {
		m.beforehand = randomTime(rng, 300*time.Millisecond)
	}
	return m
}

// randomPause seldom is a pause at all.
func randomPause(rng *rand.Rand, within int64) pause {
	behind, length := rng.Int64N(within+1), randomTime(rng, 800*time.Millisecond)
	if rng.IntN(12) > 0 {
		return pause{}
	}
	return pause{behind, length}
}

func randomTime(rng *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(rng.Int64N(int64(limit)))
}

// serve treats one connection, and tells the oracle what it did and saw.
func (c *chaosTarget) serve(conn *net.TCPConn) {
	_ = conn.SetDeadline(time.Now().Add(chaosPatience))
	me, crashes, accepted := greeting{c.number, c.serials.Add(1)}, c.crashes.Load(), c.run.now()
	if manner := c.manner.Load(); manner != serving {
		c.run.oracle.killed(kill{me, accepted, c.run.now(), manner == closedAtOnce})
		if manner == resetAtOnce {
			reset(conn)
		}
		return
	}
	_, err := conn.Write(me.bytes())
	h, n, helloErr := readHello(conn)
	if err != nil || helloErr != nil {
		switch {
		case errors.Is(errors.Join(err, helloErr), net.ErrClosed): // by a crash
			c.run.oracle.killed(kill{me, time.Duration(c.crashed.Load()), c.run.now(), false})
		case errors.Is(helloErr, errNoHello), errors.Is(helloErr, os.ErrDeadlineExceeded):
			c.run.fail("something else comes than a hello", "to %d.%d after %d bytes: %v", me.target, me.serial, n, helloErr)
		}
		return
	}
	t := &targetHalf{hello: h, greeting: me, sent: greetingSize, got: helloSize}
	c.treat(conn, t)
	if c.crashes.Load() != crashes || errors.Is(t.err, net.ErrClosed) {
		t.cut = true
	}
	t.over = c.run.now()
	c.run.oracle.target(t)
}

// treat does what the target's mood is for a connection.
func (c *chaosTarget) treat(conn *net.TCPConn, t *targetHalf) {
	m := mannersFor(c.run.rng("manners", t.id), t.hello, c.run.mild)
	t.mood = m.mood
	c.run.sleep(m.beforehand)
	var ended bool
	var readErr, writeErr error
	switch m.mood {
	case obliging, laconic:
		var reading sync.WaitGroup
		reading.Go(func() { ended, readErr = t.receive(conn, m.reading, endless) })
		writeErr = t.sendAll(conn, m)
		reading.Wait()
	case thoughtful:
		n := t.up
		if t.endsUp {
			n = endless
		}
		ended, readErr = t.receive(conn, m.reading, n)
		writeErr = t.sendAll(conn, m)
		if !ended && readErr == nil {
			ended, readErr = t.receive(conn, pause{}, endless)
		}
	case hasty, closing:
		t.cut = true
		t.ended = t.send(conn, m) == nil
	case resetting:
		t.cut = true
		_ = t.send(conn, m)
		reset(conn)
	}
	t.end, t.err = endingOf(ended, readErr, writeErr)
}

// sendAll sends what the target has to say, and ends its direction.
func (t *targetHalf) sendAll(conn *net.TCPConn, m manners) error {
	err := t.send(conn, m)
	if err == nil {
		t.ended = conn.CloseWrite() == nil
	}
	return err
}

func (t *targetHalf) send(conn *net.TCPConn, m manners) error {
	stream := newPattern(t.id, true)
	n, err := stream.send(conn, m.sends, m.writing)
	t.sent += n
	return err
}

// receive reads up to n bytes, or to the end of the stream.
func (t *targetHalf) receive(conn *net.TCPConn, pause pause, n int64) (ended bool, err error) {
	stream := newPattern(t.id, false)
	got, ended, err := stream.receive(conn, n, pause)
	t.got += got
	return ended, err
}
