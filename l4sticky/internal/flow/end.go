package flow

// An End tells what brought a connection to its end, as far as that is no error of a side.
type End uint8

const (
	// NoEnd means that it goes on, or that nothing is known.
	NoEnd End = iota
	// ClientFirst means that the client has ended its direction, or failed, before the target did.
	ClientFirst
	// TargetFirst means the same of the target.
	TargetFirst
	// IdleEnd means that no byte has moved for Limits.Idle.
	IdleEnd
	// HalfCloseEnd means that no byte has moved for Limits.HalfClose after one side had ended its direction.
	HalfCloseEnd
	// AgeEnd means that it has lasted for Limits.MaxAge.
	AgeEnd
	// CutEnd means that the executor has cut it.
	CutEnd
)

// marks are what a Flow remembers of the end.
type marks uint8

const (
	clientFirst marks = 1 << iota // ended or failed first
	targetFirst
	targetTold // which is not to be told again, since another target was looked for
	wasIdle
	wasHalfClosed
	wasOld
	wasCut
)

// End returns what ended the connection. What the flow did itself counts more than what a side had done before.
func (f *Flow) End() End {
	switch m := f.marks; {
	case m&wasCut != 0:
		return CutEnd
	case m&wasOld != 0:
		return AgeEnd
	case m&wasHalfClosed != 0:
		return HalfCloseEnd
	case m&wasIdle != 0:
		return IdleEnd
	case m&clientFirst != 0:
		return ClientFirst
	case m&targetFirst != 0:
		return TargetFirst
	}
	return NoEnd
}

// markFirst notes which side has ended or failed first.
func (f *Flow) markFirst(e event) {
	switch {
	case f.state != Open:
	case e == clientEnded, e == clientFailed:
		f.marks |= clientFirst
	default:
		f.marks |= targetFirst
	}
}
