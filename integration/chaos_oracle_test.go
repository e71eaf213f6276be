package integration

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// An ending is how a stream ended for the one who read it.
type ending int

const (
	unread ending = iota // the reader left before the end
	whole
	broken
)

// endingOf tells how a stream ended by what its reader and its writer met. The system tells of a reset once, so if the
// writer has learned of it, the reader has not: the stream seems to end well.
func endingOf(ended bool, readErr, writeErr error) (ending, error) {
	switch {
	case readErr != nil:
		return broken, readErr
	case errors.Is(writeErr, syscall.ECONNRESET), errors.Is(writeErr, net.ErrClosed):
		return broken, writeErr
	case ended:
		return whole, nil
	}
	return unread, nil
}

func (e ending) String() string {
	return [...]string{"left before its end", "ended well", "broke off"}[e]
}

// A clientHalf is what a client knows of a connection.
type clientHalf struct {
	hello
	way         *entrance
	began, over time.Duration
	connected   bool
	greeted     bool
	greeting    greeting
	sent, got   int64 // bytes, hello and greeting included
	ended       bool  // it ended its direction, or closed the connection
	left        bool  // it left before the target's stream had ended, or reset the connection
	end         ending
	err         error // of reading, or of dialling
}

// A targetHalf is what a target knows of a connection whose client has said hello.
type targetHalf struct {
	hello
	greeting
	mood      mood
	sent, got int64
	ended     bool // it ended its direction
	cut       bool // it reset the connection, crashed or closed before it had read all
	end       ending
	err       error
	over      time.Duration
}

// A kill is a connection that a target ended before it knew whose it was.
type kill struct {
	greeting
	at, until time.Duration // when it did so: between these times
	clean     bool          // by closing it, with an end of stream
}

// lostBecause is what the excuse of a lost client is counted with.
const lostBecause = "lost "

// An oracle brings together what both sides know of a connection, and judges what the balancer did.
type oracle struct {
	fail   func(what, format string, args ...any)
	count  func(what string, n int)
	excuse func(*clientHalf) string // why a client may be lost although no target has cut it

	mu      sync.Mutex
	clients map[uint64]*clientHalf // those whose connection is over, but not judged
	targets map[uint64]*targetHalf
	kills   []kill
}

func (o *oracle) client(c *clientHalf) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count("connections", 1)
	if c.err != nil && errors.Is(c.err, errDamaged) || errors.Is(c.err, os.ErrDeadlineExceeded) {
		o.fail(c.err.Error(), "%s", c)
	}
	t := o.targets[c.id]
	if t == nil {
		o.clients[c.id] = c
		return
	}
	delete(o.targets, c.id)
	o.unsyncedJudge(c, t)
}

func (o *oracle) target(t *targetHalf) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(t.err, errDamaged) || errors.Is(t.err, os.ErrDeadlineExceeded) {
		o.fail(t.err.Error(), "%s", t)
	}
	if o.targets[t.id] != nil {
		o.fail("two targets got what one client sent", "%s\n\t%s", t, o.targets[t.id])
	}
	c := o.clients[t.id]
	if c == nil {
		o.targets[t.id] = t
		return
	}
	delete(o.clients, t.id)
	o.unsyncedJudge(c, t)
}

func (o *oracle) killed(k kill) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kills = append(o.kills, k)
}

// unsyncedJudge looks at a connection of which both sides are known. The lock must be held.
func (o *oracle) unsyncedJudge(c *clientHalf, t *targetHalf) {
	wrong := ""
	switch {
	case c.greeted && c.greeting != t.greeting:
		wrong = "another target greeted"
	case c.got > t.sent || t.got > c.sent:
		wrong = "more came than was sent"
	case c.end == whole && (!t.ended || c.got != t.sent):
		wrong = "what the target cut looks whole to the client"
	case t.end == whole && (!c.ended || t.got != c.sent):
		wrong = "what the client cut looks whole to the target"
	case t.cut:
		o.count("cut by the target", 1)
	case c.left:
		o.count("left by the client", 1)
	case c.end == broken || c.got != t.sent:
		wrong = "the client lost what a target had to say"
	case t.end != whole:
		wrong = "the target lost what a client had to say"
	default:
		o.count("whole", 1)
	}
	o.count("bytes", int(c.got+t.got))
	if wrong != "" {
		o.fail(wrong, "%s\n\t%s", c, t)
	}
}

// conclude judges the connections of which one side is unknown, when there are none left.
func (o *oracle) conclude() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, t := range o.targets {
		o.fail("nobody knows the client of a connection", "%s", t)
	}
	killed := make(map[greeting]bool)
	for _, k := range o.kills {
		killed[k.greeting] = true
	}
	var lost []*clientHalf
	for _, c := range o.clients {
		switch why := o.excuse(c); {
		case c.greeted && killed[c.greeting]:
			o.count("cut by the target at once", 1)
		case c.left:
			o.count("left before the target knew", 1)
		case why != "":
			o.count(lostBecause+why, 1)
		default:
			lost = append(lost, c)
		}
	}
	for _, c := range o.unsyncedUnexplained(lost) {
		o.fail("lost although a target accepted all the time", "%s", c)
	}
}

// explains reports whether a client may be one whom the kill has hit. An end of stream needs a kill that was one;
// whoever saw something else may have met either kind. A client that has said nothing gets another target, unless the kill has
// come late.
func (k kill) explains(c *clientHalf) bool {
	if c.sent == 0 && k.until-c.began < dialTimeout {
		return false
	}
	return c.connected && !c.greeted && c.began <= k.until && c.over >= k.at && (k.clean || c.end != whole)
}

// unsyncedUnexplained returns the lost clients for whom no kill is left when as many as possible have one of their own:
// a client takes a kill from another one who finds another. (This is Kuhn's algorithm for matchings in bipartite
// graphs.) The lock must be held.
func (o *oracle) unsyncedUnexplained(lost []*clientHalf) (unexplained []*clientHalf) {
	slices.SortFunc(o.kills, func(a, b kill) int { return cmp.Compare(a.at, b.at) })
	owners := make([]*clientHalf, len(o.kills))
	var find func(c *clientHalf, tried map[int]bool) bool
	find = func(c *clientHalf, tried map[int]bool) bool {
		first, _ := slices.BinarySearchFunc(o.kills, c.began-chaosPatience, func(k kill, at time.Duration) int { return cmp.Compare(k.at, at) })
		for i := first; i < len(o.kills) && o.kills[i].at <= c.over; i++ {
			if tried[i] || !o.kills[i].explains(c) {
				continue
			}
			tried[i] = true
			if owners[i] == nil || find(owners[i], tried) {
				owners[i] = c
				return true
			}
		}
		return false
	}
	for _, c := range lost {
		if find(c, make(map[int]bool)) {
			o.count("cut by the target at once", 1)
		} else {
			unexplained = append(unexplained, c)
		}
	}
	return unexplained
}

func (c *clientHalf) String() string {
	return fmt.Sprintf("client %s (%x) by %s from %v to %v, greeted %v by %d.%d, sent %d of %d and got %d of %d bytes, ended %v, left %v; the target's stream %s, %v",
		c.ip, c.id, c.way, c.began, c.over, c.greeted, c.greeting.target, c.greeting.serial, c.sent, c.up+helloSize, c.got, c.down+greetingSize, c.ended, c.left, c.end, c.err)
}

func (t *targetHalf) String() string {
	return fmt.Sprintf("connection %d.%d of client %s (%x) at a target who %s, over at %v, sent %d and got %d bytes, ended %v, cut %v; the client's stream %s, %v",
		t.target, t.serial, t.ip, t.id, t.mood, t.over, t.sent, t.got, t.ended, t.cut, t.end, t.err)
}
