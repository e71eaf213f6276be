package flow

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const second = time.Second

// A model keeps account of what has happened to a connection, and of what its executor was told to do.
type model struct {
	t    testing.TB
	flow Flow
	now  time.Duration
	path []string

	clientEnded, targetEnded, targetCut, targetFailed, clientFailed bool
	firstFailure                                                    Side // if any of them has failed
	anyFailed                                                       bool
	cut, stopped                                                    bool
	timedOut                                                        bool

	all    Action // that were told so far, of this target
	closed bool
	unread int // what the peers have not acknowledged

	took     bool // something from the client, or its end
	header   int  // bytes that the target has got in front of the client's
	up, down int  // bytes that went to and came from the target
	began    time.Duration
	counters *Counters
	seeking  bool
	settled  bool   // no other target was found
	ends     []fate // of the targets that were left
}

// A fate is how a target was when it was left.
type fate struct {
	cut, failed bool
	all         Action
}

// Unacknowledged makes the model the peers of its flow.
func (m *model) Unacknowledged(Side) int { return m.unread }

func newModel(t testing.TB, limits Limits) *model {
	m := &model{t: t, flow: New(&limits), counters: new(Counters)}
	m.flow.Begin(m.counters, 0)
	return m
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	m.t.Fatalf("after %v: %s", m.path, fmt.Sprintf(format, args...))
}

// take carries out an action and checks what must hold.
func (m *model) take(a Action) {
	if m.closed && a != 0 {
		m.fail("action %b after the end", a)
	}
	if twice := m.all & a &^ Discard; twice != 0 {
		m.fail("action %b comes again", twice)
	}
	m.all |= a
	switch {
	case a&ShutClient != 0 && !(m.targetEnded && !m.targetCut):
		m.fail("the client is told an end that the target has not said")
	case a&ShutTarget != 0 && !m.clientEnded:
		m.fail("the target is told an end that the client has not said")
	case a&BlameClient != 0 && (!m.clientFailed || m.firstFailure != Client):
		m.fail("the client is blamed")
	case a&BlameTarget != 0 && (m.targetEnded || m.firstFailure != Target):
		m.fail("the target is blamed")
	case m.all&BlameClient != 0 && m.all&BlameTarget != 0:
		m.fail("both are blamed")
	}
	if a&Close != 0 {
		m.closed = true
		m.checkEnd()
	}
	if a&Redispatch != 0 {
		m.leave(a)
	}
	m.checkState()
}

// leave begins to seek another target, which is right only if nothing at all has happened, and not for long.
func (m *model) leave(a Action) {
	switch {
	case a&^(BlameTarget|Redispatch) != 0:
		m.fail("action %b comes with Redispatch", a)
	case m.took || m.clientEnded || m.clientFailed || m.up > m.header:
		m.fail("another target is sought for a client that has begun")
	case m.down > 0:
		m.fail("another target is sought after one that has said something")
	case !m.targetEnded && !m.targetCut:
		m.fail("a target is left that may say something")
	case m.settled || m.closed:
		m.fail("another target is sought after there was none")
	case m.now-m.began >= m.flow.limits.Redispatch:
		m.fail("another target is sought after %v", m.now-m.began)
	}
	m.checkBytes()
	m.ends = append(m.ends, fate{m.targetCut, m.anyFailed, m.all &^ Redispatch})
	m.seeking = true
	m.targetEnded, m.targetCut, m.targetFailed, m.anyFailed = false, false, false, false
	m.all, m.header, m.up = 0, 0, 0
	m.counters = new(Counters)
}

// begin goes on with another target.
func (m *model) begin() {
	if m.seeking {
		m.seeking, m.began = false, m.now
		m.flow.Begin(m.counters, m.now)
		m.checkState()
	}
}

// settle goes on with the last target that was left.
func (m *model) settle() {
	if !m.seeking {
		return
	}
	last := m.ends[len(m.ends)-1]
	m.seeking, m.settled, m.began = false, true, m.now
	m.targetEnded, m.targetCut, m.anyFailed, m.firstFailure = !last.cut, last.cut, last.failed, Target
	m.all = last.all & BlameTarget
	m.take(m.flow.Settle(m.counters, m.now))
	if m.flow.Unserved() {
		m.fail("a target is unserved twice for one client")
	}
}

// checkBytes compares what was counted with what has moved to and from this target.
func (m *model) checkBytes() {
	if got := m.counters; got.Bytes(Client) != int64(m.up) || got.Bytes(Target) != int64(m.down) {
		m.fail("%d bytes up and %d down are counted, want %d and %d", got.Bytes(Client), got.Bytes(Target), m.up, m.down)
	}
}

// checkEnd looks at how the two sockets were closed.
func (m *model) checkEnd() {
	resetsClient, resetsTarget := m.all&ResetClient != 0, m.all&ResetTarget != 0
	switch {
	case m.cut || m.timedOut:
		if !resetsClient || !resetsTarget {
			m.fail("what was cut short does not end in a reset for both")
		}
	case m.targetCut && !m.clientFailed && !m.stopped && !resetsClient:
		m.fail("the client takes a stream that was cut for a whole one")
	case m.clientFailed && !m.clientEnded && !m.targetFailed && !m.targetCut && !resetsTarget:
		m.fail("the target takes a stream that was cut for a whole one")
	}
	if !resetsClient && !m.clientFailed && !m.stopped && !(m.targetEnded && !m.targetCut) {
		m.fail("the client sees the end of a stream that the target has not ended")
	}
	if !resetsTarget && !m.targetFailed && !m.targetCut && !m.stopped && !m.clientEnded {
		m.fail("the target sees the end of a stream that the client has not ended")
	}
	if m.targetEnded && !m.targetCut && m.all&(ShutClient|ResetClient) == 0 && !m.clientFailed && !m.stopped {
		m.fail("the client is not told the end by its own protocol")
	}
	if m.flow.Due() != Never || m.flow.State() != Over {
		m.fail("the flow waits until %v in state %v after the end", m.flow.Due(), m.flow.State())
	}
}

// checkState compares what the flow tells of itself with what has happened.
func (m *model) checkState() {
	if m.anyFailed && m.all&(BlameClient|BlameTarget) == 0 {
		m.fail("no side is blamed for the failure")
	}
	if m.flow.Seeking() != (m.seeking && !m.closed) {
		m.fail("another target is sought: %v", m.flow.Seeking())
	}
	if m.closed || m.seeking {
		return
	}
	m.checkBytes()
	if m.flow.Fresh() && (m.took || m.clientEnded || m.down > 0) {
		m.fail("a connection is fresh that has begun")
	}
	if m.targetEnded && m.all&ShutClient == 0 {
		m.fail("the client is not told the end")
	}
	if m.clientEnded && !m.targetFailed && !m.targetCut && m.all&ShutTarget == 0 {
		m.fail("the target is not told the end")
	}
	if gone := m.targetFailed || m.targetCut; m.flow.Discards() != gone {
		m.fail("what the client sends is thrown away: %v", m.flow.Discards())
	}
	if m.clientEnded && m.targetEnded {
		m.fail("both have ended, and the connection goes on")
	}
}

func (m *model) note(failed Side) {
	if !m.anyFailed && !m.closed {
		m.anyFailed, m.firstFailure = true, failed
	}
}

// ignored reports whether a target is sought, and nothing of the connection matters then: the executor meets it again.
func (m *model) ignored(event func(now time.Duration) Action) bool {
	if !m.seeking || m.closed {
		return false
	}
	state := m.flow.State()
	if a := event(m.now); a != 0 || m.flow.State() != state {
		m.fail("an event while a target is sought does %b and leads to state %v", a, m.flow.State())
	}
	return true
}

// A step is something that can happen.
type step struct {
	name string
	do   func(m *model)
}

var steps = []step{
	{"client ended", func(m *model) {
		ended := func(now time.Duration) Action { return m.flow.Ended(Client, now) }
		if m.clientEnded || m.ignored(ended) {
			return
		}
		m.clientEnded = true
		m.take(m.flow.Ended(Client, m.now))
	}},
	{"target ended", func(m *model) {
		ended := func(now time.Duration) Action { return m.flow.Ended(Target, now) }
		if m.targetEnded || m.targetCut || m.ignored(ended) {
			return
		}
		m.targetEnded = true
		m.take(m.flow.Ended(Target, m.now))
	}},
	{"target cut", func(m *model) {
		if m.targetEnded || m.targetCut || m.ignored(m.flow.TargetCut) {
			return
		}
		m.targetCut = true
		m.note(Target)
		m.take(m.flow.TargetCut(m.now))
	}},
	{"target failed", func(m *model) {
		if m.ignored(func(now time.Duration) Action { return m.flow.Failed(Target, now) }) {
			return
		}
		m.targetFailed = true
		if !m.targetEnded {
			m.note(Target)
		}
		m.take(m.flow.Failed(Target, m.now))
	}},
	{"client failed", func(m *model) {
		if m.ignored(func(now time.Duration) Action { return m.flow.Failed(Client, now) }) {
			return
		}
		m.clientFailed = true
		if m.flow.State() != Lingering { // its target has left in order
			m.note(Client)
		}
		m.take(m.flow.Failed(Client, m.now))
	}},
	{"a byte up", func(m *model) {
		m.took = true
		m.up++
		m.flow.Bind()
		m.flow.Moved(Client, 1, m.now)
	}},
	{"a header up", func(m *model) {
		m.header++
		m.up++
		m.flow.Moved(Client, 1, m.now)
	}},
	{"a byte down", func(m *model) {
		if !m.seeking {
			m.down++
			m.flow.Moved(Target, 1, m.now)
		}
	}},
	{"the client talks", func(m *model) {
		m.took = true
		m.flow.Talked()
	}},
	{"another target", (*model).begin},
	{"no other target", (*model).settle},
	{"time, all read", func(m *model) { m.tick(0) }},
	{"time, some read", func(m *model) { m.tick(max(m.unread-1, 0)) }},
	{"time, none read", func(m *model) { m.tick(m.unread + 1) }},
	{"cut", func(m *model) {
		m.cut = true
		m.take(m.flow.Cut())
	}},
	{"stopped", func(m *model) {
		m.stopped = true
		m.take(m.flow.Stop())
	}},
}

// tick lets the time come for which the flow waits.
func (m *model) tick(unread int) {
	due := m.flow.Due()
	if due == Never {
		m.take(m.flow.Tick(m.now, m))
		return
	}
	if due > m.now {
		if a := m.flow.Tick(due-1, m); a != 0 || m.flow.Due() != due {
			m.fail("a tick before its time does %b", a)
		}
		m.now = due
	}
	m.unread = unread
	silent := m.now - m.flow.Active()
	before := m.flow.State()
	a := m.flow.Tick(m.now, m)
	dying := before == Severed || before == Lingering
	switch {
	case a != 0 && m.flow.End() == AgeEnd:
		m.timedOut = true
		if age, most := m.now-m.began, m.flow.limits.MaxAge; dying || a&Close == 0 || age < most-most/10 || age > most+most/10 {
			m.fail("it is too old after %v in state %v, the limit is %v", age, before, most)
		}
	case a&Close != 0 && !dying:
		m.timedOut = true
		if limit := m.flow.limits.limit(before); limit == 0 || silent < limit || silent >= limit+limit/idleLooks {
			m.fail("it is cut after %v of silence in state %v, the limit is %v", silent, before, limit)
		}
	}
	if a == 0 && m.flow.Due() <= m.now {
		m.fail("it waits for %v, which is over at %v", m.flow.Due(), m.now)
	}
	m.take(a)
}

// limit is what the options say about a state, told in another way than the flow's own.
func (l *Limits) limit(s State) time.Duration {
	halfClosed := slices.Contains([]State{ClientEnded, TargetEnded, LastWordsEnded}, s)
	switch {
	case !halfClosed || l.HalfClose == 0:
		return l.Idle
	case l.Idle == 0:
		return l.HalfClose
	}
	return min(l.Idle, l.HalfClose)
}

// run replays some steps.
func run(t testing.TB, limits Limits, path []int) *model {
	m := newModel(t, limits)
	for _, i := range path {
		m.path = append(m.path, steps[i].name)
		if last := []string{"cut", "stopped", "another target", "no other target"}; !m.closed || !slices.Contains(last, steps[i].name) {
			steps[i].do(m)
		}
	}
	return m
}
