package flow

import (
	"math"
	"time"
)

// Never is a time that does not come. All times are those of the executor's monotonic clock.
const Never time.Duration = math.MaxInt64

const (
	// linger is how long a client may go on sending for a while after its target is gone.
	linger = 2 * time.Second
	// maxLinger is the same for a client that has not received everything yet.
	maxLinger = 30 * time.Second

	// maxTalk is how long a client may go on sending after its target's stream was cut, and talkPause is after what
	// silence it is done. A reset at once could take the target's last words from a client that is busy writing.
	maxTalk   = 500 * time.Millisecond
	talkPause = 50 * time.Millisecond
	// A severed client is looked at often at first.
	firstSeverPause, longestSeverPause = time.Millisecond, 250 * time.Millisecond

	// idleLooks is how often a silent connection is looked at until it has been silent for too long. What its peers
	// acknowledge meanwhile is seen late by one of these parts at most.
	idleLooks = 4
)

// Limits are the times that bound an established connection.
type Limits struct {
	// Idle ends a connection on which no byte has moved for that long, in either direction. Zero is never.
	Idle time.Duration
	// HalfClose does the same once one direction has ended, if it is shorter. Zero means that only Idle counts.
	HalfClose time.Duration
	// MaxAge ends a connection after that time, give or take a tenth, whatever it does. Zero is never.
	MaxAge time.Duration
	// Redispatch is for how long after it has accepted a target may end a connection that was never used so that another
	// target is looked for. Zero is never.
	Redispatch time.Duration
}

// Peers tell how many bytes that were sent to a side are on their way, if that can be known, else zero.
type Peers interface {
	Unacknowledged(to Side) int
}

// Due returns when Tick is to be called next, or Never. It changes by events, and by Moved only to a later time, which
// an executor need not look at: Tick does nothing when it comes too early.
func (f *Flow) Due() time.Duration { return f.due }

// Tick tells that a time has come.
func (f *Flow) Tick(now time.Duration, peers Peers) Action {
	if now < f.due {
		return 0
	}
	switch f.state {
	case Over:
		return 0
	case Lingering:
		if now-f.since < maxLinger && peers.Unacknowledged(Client) > 0 {
			f.due = now + linger
			return 0
		}
		return f.Stop()
	case Severed:
		return f.lookAtSevered(now, peers)
	}
	if now >= f.endOfAge() {
		return f.cut(wasOld)
	}
	return f.lookAtSilent(now, peers)
}

// endOfAge returns when the connection is too old, or Never. It is not the same for connections that began one after the other, so that
// those which began together do not end together: the time when a connection began is what it depends on by chance.
func (f *Flow) endOfAge() time.Duration {
	age := f.limits.MaxAge
	if age == 0 || f.state == Lingering || f.state == Severed {
		return Never
	}
	const parts = 1 << 16
	chance := time.Duration(uint64(f.since) * 0x9E3779B97F4A7C15 >> 48) // Fibonacci hashing: neighbours are far apart
	tenth := age / 10
	return f.since + age - tenth + 2*tenth/parts*chance + 2*tenth%parts*chance/parts
}

// wait has Tick called at a time, or earlier if the connection is too old then.
func (f *Flow) wait(until time.Duration) { f.due = min(until, f.endOfAge()) }

// limit returns how long the connection may be silent, or 0 if it may be for ever.
func (f *Flow) limit() time.Duration {
	halfClosed := f.state != Open && f.state != LastWords
	if l := f.limits; halfClosed && l.HalfClose > 0 && (l.Idle == 0 || l.HalfClose < l.Idle) {
		return l.HalfClose
	}
	return f.limits.Idle
}

// watch begins to look whether the connection is silent.
func (f *Flow) watch() {
	f.unread = 0
	until := Never
	if limit := f.limit(); limit > 0 {
		until = f.active + max(limit/idleLooks, 1)
	}
	f.wait(until)
}

// lookAtSilent ends a connection on which no byte has moved for too long. Bytes that a slow peer takes from what was sent
// before count as activity.
func (f *Flow) lookAtSilent(now time.Duration, peers Peers) Action {
	limit := f.limit()
	part, silent := max(limit/idleLooks, 1), now-f.active
	if limit == 0 || silent < part {
		f.watch()
		return 0
	}
	before := f.unread
	f.unread = int32(min(peers.Unacknowledged(Client)+peers.Unacknowledged(Target), math.MaxInt32))
	switch {
	case f.unread < before:
		f.active = now
		f.wait(now + part)
	case silent >= limit && limit == f.limits.Idle:
		return f.cut(wasIdle)
	case silent >= limit:
		return f.cut(wasHalfClosed)
	default:
		f.wait(f.active + (silent/part+1)*part)
	}
	return 0
}

// Talked tells that the client has sent something which was thrown away.
func (f *Flow) Talked() { f.talking, f.bound = true, true }

// lookAtSevered resets a client whose target's stream was cut, as soon as the client has acknowledged what there was of it
// and is silent, or has had time enough.
func (f *Flow) lookAtSevered(now time.Duration, peers Peers) Action {
	since := now - f.since
	pause := min(max(since, firstSeverPause), longestSeverPause)
	switch {
	case since >= maxLinger:
		return f.cut(0)
	case peers.Unacknowledged(Client) > 0:
	case f.talking && since < maxTalk:
		pause = max(pause, talkPause)
	default:
		return f.cut(0)
	}
	f.talking, f.due = false, now+pause
	return 0
}
