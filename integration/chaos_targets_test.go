package integration

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A chaosTarget is a server that fails now and then, in every way that servers have.
type chaosTarget struct {
	*target
	run    *chaosRun
	number int
	rng    *rand.Rand

	accepting  history // connections, and serves them
	configured history // in the config that runs
	abrupt     history // ends connections that it has just accepted

	serials atomic.Uint64
	crashes atomic.Uint64
	crashed atomic.Int64 // when the last crash began
	manner  atomic.Int32 // what becomes of new connections
	busy    sync.Mutex   // held while it fails or moves
}

// What becomes of a connection that a target accepts.
const (
	serving = iota
	resetAtOnce
	closedAtOnce
)

func startChaosTarget(t testing.TB, run *chaosRun, number int) *chaosTarget {
	t.Helper()
	c := &chaosTarget{run: run, number: number, rng: run.rng("target", uint64(number))}
	c.target = startTarget(t, fmt.Sprint(number), c.serve)
	c.accepting.begin(run.now())
	return c
}

func (c *chaosTarget) String() string { return fmt.Sprintf("target %d (%s)", c.number, c.addr) }

// fault is one way to fail for a while.
type fault func(c *chaosTarget, length time.Duration) error

var faults = map[string]fault{
	"refuses":       (*chaosTarget).refuse,
	"resets":        func(c *chaosTarget, length time.Duration) error { return c.endAtOnce(resetAtOnce, length) },
	"closes":        func(c *chaosTarget, length time.Duration) error { return c.endAtOnce(closedAtOnce, length) },
	"swallows SYNs": (*chaosTarget).swallow,
	"crashes":       (*chaosTarget).crash,
}

var faultNames = []string{"refuses", "resets", "closes", "swallows SYNs", "crashes"}

// misbehave lets the target fail again and again until the run ends, one target more often than the other.
func (c *chaosTarget) misbehave(permits chan struct{}) {
	for {
		healthy := 300*time.Millisecond + randomTime(c.rng, time.Duration(1+c.number)*time.Second)
		name, length := faultNames[c.rng.IntN(len(faultNames))], 50*time.Millisecond+randomTime(c.rng, 900*time.Millisecond)
		if c.run.sleep(healthy) {
			return
		}
		permits <- struct{}{}
		c.busy.Lock()
		err := faults[name](c, length)
		c.busy.Unlock()
		<-permits
		if err != nil {
			c.run.fail("a target can't fail", "%v", err)
			return
		}
		c.run.count("times that a target "+name, 1)
	}
}

// steady reports whether the target was in the config and accepted for all the time.
func (c *chaosTarget) steady(from, to time.Duration) bool {
	return c.accepting.held(from, to) && c.configured.held(from, to)
}

// endAtOnce ends all new connections before they have begun. That is the target's will, so it does not do so for long.
func (c *chaosTarget) endAtOnce(manner int32, length time.Duration) error {
	c.accepting.end(c.run.now())
	c.abrupt.begin(c.run.now())
	c.manner.Store(manner)
	c.run.sleep(length / 4)
	c.manner.Store(serving)
	c.abrupt.end(c.run.now())
	c.accepting.begin(c.run.now())
	return nil
}

// refuse closes the target's listener for a while.
func (c *chaosTarget) refuse(length time.Duration) error {
	if err := c.shut(); err != nil {
		return err
	}
	c.run.sleep(length)
	return c.reopen()
}

// crash does the same, and resets the connections that there are.
func (c *chaosTarget) crash(length time.Duration) error {
	if err := c.shut(); err != nil {
		return err
	}
	c.abrupt.begin(c.run.now())
	c.crashes.Add(1)
	c.crashed.Store(int64(c.run.now()))
	c.kill()
	c.abrupt.end(c.run.now())
	if length > 500*time.Millisecond {
		c.run.sleep(length)
	}
	return c.reopen()
}

func (c *chaosTarget) shut() error {
	c.accepting.end(c.run.now())
	return closeQuietly(c.listener)
}

func (c *chaosTarget) reopen() error {
	listener, err := listenTCP(c.addr)
	if err != nil {
		return err
	}
	c.accept(listener)
	c.accepting.begin(c.run.now())
	return nil
}

// swallow lets SYNs go unanswered for a while.
func (c *chaosTarget) swallow(length time.Duration) error {
	c.accepting.end(c.run.now())
	if err := deafen(c.listener); err != nil {
		return err
	}
	c.run.sleep(length + 200*time.Millisecond)
	if err := hearAgain(c.listener); err != nil {
		return err
	}
	c.accepting.begin(c.run.now())
	return nil
}

// move has the target listen on another address, too, unless it is failing. Settle closes the one that is not to be
// used any more.
func (c *chaosTarget) move(addr string) (settle func(done bool) error, moved bool) {
	if !c.busy.TryLock() {
		return nil, false
	}
	listener, err := listenTCP(addr)
	if err != nil {
		c.busy.Unlock()
		return nil, false
	}
	c.accepting.end(c.run.now())
	old, oldAddr := c.listener, c.addr
	c.addr = addr
	c.accept(listener)
	return func(done bool) error {
		defer c.busy.Unlock()
		if !done {
			c.listener, c.addr, old = old, oldAddr, listener
		}
		defer func() { c.accepting.begin(c.run.now()) }()
		return closeQuietly(old)
	}, true
}
