package target

import "time"

// Reported notes whether the target's agent says that it is down. A target that is down by its agent gets no new connections, as one
// whose checks fail, until the agent says otherwise. Reported returns whether that is a change, and how long the target was down by
// its agent if it is not any more.
func (t *Target) Reported(down bool, reason string) (downFor time.Duration, changed bool) {
	downFor, changed = t.reported(down, reason)
	switch {
	case changed && down:
		t.wakeQueue()
	case changed:
		t.wake()
	}
	return downFor, changed
}

func (t *Target) reported(down bool, reason string) (downFor time.Duration, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.agentDown.Load() == down {
		return 0, false
	}
	now := t.now()
	t.agentDown.Store(down)
	if down {
		t.agentDownSince, t.agentReason = now, reason
		return 0, true
	}
	t.returned.Store(int64(now))
	return now - t.agentDownSince, true
}

// DownByAgent reports whether the target gets no new connections because its agent says that it is down.
func (t *Target) DownByAgent() bool { return t.agentDown.Load() }
