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

	all    Action // that were told so far
	closed bool
	unread int // what the peers have not acknowledged
}

// Unacknowledged makes the model the peers of its flow.
func (m *model) Unacknowledged(Side) int { return m.unread }

func newModel(t testing.TB, limits Limits) *model {
	m := &model{t: t, flow: New(&limits)}
	m.flow.Begin(nil, 0)
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
	m.checkState()
}

// checkEnd looks at how the two sockets were closed.
func (m *model) checkEnd() {
	resetsClient, resetsTarget := m.all&ResetClient != 0, m.all&ResetTarget != 0
	switch {
	case m.cut || m.timedOut && m.flow.since == 0:
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
	if m.closed {
		return
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

// A step is something that can happen.
type step struct {
	name string
	do   func(m *model)
}

var steps = []step{
	{"client ended", func(m *model) {
		if m.clientEnded {
			return
		}
		m.clientEnded = true
		m.take(m.flow.Ended(Client, m.now))
	}},
	{"target ended", func(m *model) {
		if m.targetEnded || m.targetCut {
			return
		}
		m.targetEnded = true
		m.take(m.flow.Ended(Target, m.now))
	}},
	{"target cut", func(m *model) {
		if m.targetEnded || m.targetCut {
			return
		}
		m.targetCut = true
		m.note(Target)
		m.take(m.flow.TargetCut(m.now))
	}},
	{"target failed", func(m *model) {
		m.targetFailed = true
		if !m.targetEnded {
			m.note(Target)
		}
		m.take(m.flow.Failed(Target, m.now))
	}},
	{"client failed", func(m *model) {
		m.clientFailed = true
		if m.flow.State() != Lingering { // its target has left in order
			m.note(Client)
		}
		m.take(m.flow.Failed(Client, m.now))
	}},
	{"a byte up", func(m *model) { m.flow.Moved(Client, 1, m.now) }},
	{"a byte down", func(m *model) { m.flow.Moved(Target, 1, m.now) }},
	{"the client talks", func(m *model) { m.flow.Talked() }},
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
	if a&Close != 0 && before != Severed && before != Lingering {
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
		if !m.closed || steps[i].name != "cut" && steps[i].name != "stopped" {
			steps[i].do(m)
		}
	}
	return m
}
