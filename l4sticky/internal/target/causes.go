package target

import "sync/atomic"

// A Cause is why a target is taken out, or why a connection does not go to it. Causes up to DialFailed are the DialResult of a dial
// that failed; the zero value is none.
type Cause int

const (
	// Late means that a dial was not answered in good time, and another target was.
	Late Cause = Cause(DialFailed) + 1 + iota
	// Full means that the target has all the connections that it may have.
	Full
	// Inactive means that the target is deactivated.
	Inactive
	// FailedCheck means that the checks of the target fail.
	FailedCheck
	// SaidDown means that the agent of the target says that it is down.
	SaidDown
	// Suspected means that the target lets the dials of several clients wait.
	Suspected
	// Withdrawn means that the target is in maintenance.
	Withdrawn
	// NotConfigured means that no config has the target any more.
	NotConfigured
	// Disagreement means that the client's session has moved to another target meanwhile.
	Disagreement
	// Mute means that the target accepts connections and ends them without having sent a byte.
	Mute
	// Asked means that it was asked for.
	Asked
	// Loop means that the target leads back to this process.
	Loop

	causes
)

var causeNames = [causes]string{
	Late: "late", Full: "full", Inactive: "deactivated", FailedCheck: "check", SaidDown: "agent", Suspected: "suspected", Withdrawn: "maintenance",
	NotConfigured: "removed", Disagreement: "moved", Mute: "unserved", Asked: "request", Loop: "loop",
}

// String returns the name of the cause in metrics.
func (c Cause) String() string {
	if c <= Cause(DialFailed) {
		return DialResult(c).String()
	}
	return causeNames[c]
}

// FailoverCauses returns why connections go to another target than the one that they wanted first.
func FailoverCauses() []Cause {
	return []Cause{
		Cause(DialRefused), Cause(DialTimeout), Cause(DialUnreachable), Cause(DialReset), Cause(DialUnresolved), Cause(DialLocal), Cause(DialFailed),
		Late, Full, Inactive, FailedCheck, SaidDown, Suspected, Withdrawn, NotConfigured, Disagreement, Mute,
	}
}

// DeactivationCauses returns why targets are taken out.
func DeactivationCauses() []Cause {
	return []Cause{
		Cause(DialRefused), Cause(DialTimeout), Cause(DialUnreachable), Cause(DialUnresolved), Cause(DialFailed),
		FailedCheck, Mute, Asked, Loop,
	}
}

// A CauseCount counts by cause. The zero value has counted nothing.
type CauseCount [causes]atomic.Int64

// Add counts one more.
func (c *CauseCount) Add(why Cause) { c[why].Add(1) }

// Count returns how many there were.
func (c *CauseCount) Count(why Cause) int64 { return c[why].Load() }
