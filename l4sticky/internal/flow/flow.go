package flow

import "time"

// A Side is one end of a connection, or the direction that comes from there.
type Side uint8

const (
	Client Side = iota
	Target
)

// Action tells an executor what to do. Several may come at a time, to be carried out in the order of these constants.
type Action uint16

const (
	// BlameClient means that the connection ends by a failure of the client.
	BlameClient Action = 1 << iota
	// BlameTarget means that the target has failed, which the Established is to be told.
	BlameTarget
	// Discard means that what the client has sent and still sends is thrown away.
	Discard
	// ShutTarget means that the target is to be told the end of the client's stream.
	ShutTarget
	// ShutClient means the same for the client. It comes with Close, too, since protocols such as TLS have an end of their
	// own.
	ShutClient
	// ResetTarget means that the close of the target's socket is to be a reset.
	ResetTarget
	// ResetClient means the same for the client's.
	ResetClient
	// Close means that both sockets are to be closed. The connection is over.
	Close
	// Redispatch means that another target is to be found for the client, to whom nothing has happened: either Begin is
	// called for it, or Settle because there is none.
	Redispatch
)

// A State tells what has become of the two directions. See the table of the package.
type State uint8

const (
	stay State = iota // in a transition: the state does not change
	// SeekingEnded means that the target has ended a connection that was never used, and that another target is looked for.
	SeekingEnded
	// SeekingCut means the same of a target that has cut it.
	SeekingCut
	// Open means that both directions go on.
	Open
	// ClientEnded means that the client has ended its direction.
	ClientEnded
	// TargetEnded means that the target has ended its direction.
	TargetEnded
	// LastWords means that nothing can be delivered to the target, which may have said more than was read.
	LastWords
	// LastWordsEnded means the same, and that the client has ended its direction.
	LastWordsEnded
	// Lingering means that the client has been told the end, and that the target is gone. A close at once would answer
	// what the client still sends with a reset, which can destroy the target's last words before the client has them.
	Lingering
	// Severed means that the target's stream was cut, and that the client will be reset when it has what there was of it.
	Severed
	// Over means that the connection is closed.
	Over
)

// An event is what an executor tells.
type event uint8

const (
	clientEnded event = iota
	targetEnded
	targetCut
	targetFailed
	clientFailed
	events
)

// A transition is the next state and what to do.
type transition struct {
	next   State
	action Action
}

var table = [Over + 1][events]transition{
	Open: {
		clientEnded:  {ClientEnded, ShutTarget},
		targetEnded:  {TargetEnded, ShutClient},
		targetCut:    {Severed, BlameTarget | Discard},
		targetFailed: {LastWords, BlameTarget | Discard},
		clientFailed: {Over, BlameClient | ResetTarget | Close},
	},
	ClientEnded: {
		targetEnded:  {Over, ShutClient | Close},
		targetCut:    {Severed, BlameTarget},
		targetFailed: {LastWordsEnded, BlameTarget},
		clientFailed: {Over, BlameClient | ResetTarget | Close},
	},
	TargetEnded: {
		clientEnded:  {Over, Close},
		targetFailed: {Lingering, Discard},
		clientFailed: {Over, BlameClient | ResetTarget | Close},
	},
	LastWords: {
		clientEnded:  {LastWordsEnded, 0},
		targetEnded:  {Lingering, ShutClient},
		targetCut:    {Severed, 0},
		clientFailed: {Over, Close},
	},
	LastWordsEnded: {
		targetEnded:  {Over, ShutClient | Close},
		targetCut:    {Severed, 0},
		clientFailed: {Over, Close},
	},
	Lingering: {
		clientEnded:  {Over, Close},
		clientFailed: {Over, Close},
	},
	Severed: {
		clientFailed: {Over, Close},
	},
}

// redispatches has what comes instead while the connection may be taken to another target. See Fresh.
var redispatches = [Over + 1][events]transition{
	Open: {
		targetEnded: {SeekingEnded, Redispatch},
		targetCut:   {SeekingCut, BlameTarget | Redispatch},
	},
	LastWords: {
		targetCut: {SeekingCut, Redispatch},
	},
}

// A Flow is what is known of one connection. New makes one, and Begin makes it ready for events.
type Flow struct {
	limits   *Limits
	counters *Counters     // or nil
	moved    [2]int64      // bytes that were delivered from each side
	active   time.Duration // when a byte moved last
	due      time.Duration // when Tick is to be called, or Never
	since    time.Duration // when it was established, and later when it began to linger, or was severed
	unread   int32         // bytes that the peers had not acknowledged at the last look
	state    State
	marks    marks // of what ended it
	talking  bool  // the client has sent something since the last look, though it is severed
	bound    bool  // to its target
}

// New returns the flow of a connection that is not established yet. Only Bind, Moved and Bytes may be used before Begin. The
// limits must not change.
func New(limits *Limits) Flow { return Flow{limits: limits, due: Never} }

// Begin tells that the connection is established, for the first time or with another target. The counters may be nil;
// bytes that have moved before count.
func (f *Flow) Begin(counters *Counters, now time.Duration) {
	f.counters, f.active, f.since, f.state = counters, now, now, Open
	for from, n := range f.moved {
		f.counters.Add(Side(from), n)
	}
	f.watch()
}

// Settle is Begin for the target that has ended the connection, since there is no other one. It returns what is to be done
// about that end.
func (f *Flow) Settle(counters *Counters, now time.Duration) Action {
	e := targetEnded
	switch f.state {
	case SeekingEnded:
	case SeekingCut:
		e = targetCut
	default:
		return 0
	}
	f.Begin(counters, now)
	f.bound = true
	a := f.on(e, now)
	f.marks |= targetTold
	return a &^ BlameTarget
}

// Bind tells that the connection stays with its target whatever happens. An executor calls it at the latest when it has
// taken a byte from the client, before it does anything with that.
func (f *Flow) Bind() { f.bound = true }

// Fresh reports whether nothing was taken from the client, nor its end, and nothing has come from the target. While this is so,
// and Limits allows it, a target that ends the connection is left for another one.
func (f *Flow) Fresh() bool { return !f.bound && f.moved[Target] == 0 && f.limits.Redispatch > 0 }

// Seeking reports whether another target is being looked for.
func (f *Flow) Seeking() bool { return f.state == SeekingEnded || f.state == SeekingCut }

// State returns what has become of the directions.
func (f *Flow) State() State { return f.state }

// Moved counts bytes that were delivered from a side to the other one.
func (f *Flow) Moved(from Side, n int, now time.Duration) {
	f.moved[from] += int64(n)
	f.active = now
	f.counters.Add(from, int64(n))
}

// Bytes returns how many bytes from a side were delivered.
func (f *Flow) Bytes(from Side) int64 { return f.moved[from] }

// Unserved reports whether the target has ended the connection, or failed, without ever having sent a byte. It does not
// report what was told by Redispatch.
func (f *Flow) Unserved() bool {
	return f.marks&(targetFirst|targetTold) == targetFirst && f.moved[Target] == 0
}

// Active returns when a byte has moved last, or a direction has ended.
func (f *Flow) Active() time.Duration { return f.active }

// HalfOpen reports whether one direction has ended and the other one goes on.
func (f *Flow) HalfOpen() bool {
	return f.state > Open && f.state != LastWords && f.state != Over
}

// Discards reports whether what the client sends is thrown away, since its target is gone.
func (f *Flow) Discards() bool { return f.state >= LastWords }

// Ended tells that all from a side has been delivered, and that its stream has ended well.
func (f *Flow) Ended(from Side, now time.Duration) Action {
	if from == Client {
		f.bound = f.bound || !f.Seeking() // else it is told again
		return f.on(clientEnded, now)
	}
	return f.on(targetEnded, now)
}

// TargetCut tells that all from the target has been delivered that can be, and that its stream did not end well.
func (f *Flow) TargetCut(now time.Duration) Action { return f.on(targetCut, now) }

// Failed tells that the connection to a side has failed.
func (f *Flow) Failed(side Side, now time.Duration) Action {
	if side == Client {
		return f.on(clientFailed, now)
	}
	return f.on(targetFailed, now)
}

// Stop ends the connection, where one direction cannot end without the other.
func (f *Flow) Stop() Action { return f.end(Close) }

// Cut ends the connection with a reset for both sides, since neither has the whole stream.
func (f *Flow) Cut() Action { return f.cut(wasCut) }

// cut is Cut with what is to be known of it.
func (f *Flow) cut(why marks) Action {
	if f.state != Over {
		f.marks |= why
	}
	return f.end(ResetTarget | ResetClient | Close)
}

func (f *Flow) end(action Action) Action {
	if f.state == Over {
		return 0
	}
	f.state, f.due = Over, Never
	return action
}

func (f *Flow) on(e event, now time.Duration) Action {
	t := table[f.state][e]
	if instead := redispatches[f.state][e]; instead.next != stay && f.Fresh() && now-f.since < f.limits.Redispatch {
		return f.seek(instead)
	}
	if t.next == stay {
		return 0
	}
	f.markFirst(e)
	if f.state = t.next; f.state != LastWords {
		f.active = now // from when on another limit may hold
	}
	switch f.state {
	case Over:
		f.due = Never
	case Lingering:
		f.since, f.due = now, now+linger
	case Severed:
		f.since, f.due, f.talking = now, now, false
	default:
		f.watch()
	}
	return t.action
}

// seek makes the connection one that is not established yet.
func (f *Flow) seek(t transition) Action {
	f.state, f.due, f.marks = t.next, Never, 0
	f.moved, f.counters = [2]int64{}, nil
	return t.action
}
