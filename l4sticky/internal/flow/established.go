package flow

// An Established is a connection with its target, as its owner sees it.
type Established interface {
	// Counters returns what counts the bytes of the connection, or nil. It is called once, at the beginning.
	Counters() *Counters
	// TargetFailed is called as soon as an error of the target's connection is known, if there is one.
	TargetFailed()
	// Done is called when the connection is over, unless another target was looked for (Redispatch).
	Done(Result)
}

// A Result tells what a connection carried and what ended it.
type Result struct {
	// ToTarget and ToClient are the bytes that were delivered to each side.
	ToTarget, ToClient int64
	// Unserved means that the target ended the connection first, or failed, and has never sent a byte, if that was not told
	// when another target was looked for.
	Unserved bool
	// End tells what ended the connection, as far as the errors don't.
	End End
	// ClientErr is the error of the client's connection that ended it, if one did: usually that the client reset it.
	ClientErr error
	// TargetErr is the same for the target's connection. At most one of the two is set; an error that follows from
	// the first one is not one.
	TargetErr error
}
