package relay

import (
	"sync"
	"time"
)

const (
	// maxTalk is how long a client may go on sending after its target's stream was cut, and talkPause is after what
	// silence it is done. A reset at once could take the target's last words from a client that is busy writing.
	maxTalk   = 500 * time.Millisecond
	talkPause = 50 * time.Millisecond
	// A severed client is looked at often at first.
	firstSeverPause, longestSeverPause = time.Millisecond, 250 * time.Millisecond
)

// severance decides about a client whose target's stream was cut some time ago: whether it is reset now, or else how
// long to wait until the next look. Unread means that it has not acknowledged all that there was, and talking that it
// has sent something since the last look.
func severance(since time.Duration, unread, talking bool) (pause time.Duration, over bool) {
	pause = min(max(since, firstSeverPause), longestSeverPause)
	switch {
	case since >= maxLinger:
		return 0, true
	case unread:
		return pause, false
	case talking && since < maxTalk:
		return max(pause, talkPause), false
	}
	return 0, true
}

// sever resets a client whose target's stream was cut, as soon as the client has acknowledged what there was of it and
// is silent, or has had time enough.
func (r *relay) sever() {
	for severed := time.Now(); !r.isOver() && !isReset(r.client); {
		pause, over := severance(time.Since(severed), unacknowledged(r.client) > 0, r.talking.Swap(false))
		if over {
			break
		}
		time.Sleep(pause)
	}
	r.cut()
}

func (r *relay) isOver() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ended
}

// cut ends the relay at once. Both sides see a reset, since neither has the whole stream.
func (r *relay) cut() {
	abort(r.client)
	abort(r.target)
	r.end()
}

// running has all relays that are under way as its keys.
var running sync.Map

// abortRelays resets the connections of relays whose line is one of those.
func abortRelays(which func(owner any) bool) {
	running.Range(func(key, _ any) bool {
		if r := key.(*relay); which(r.line) {
			r.cut()
		}
		return true
	})
}
