package listen

import "slices"

// A start tells from when on a listener gets connections. The lock of the listener's socket guards it.
type start struct {
	serving func() bool // nil once it has said yes
}

// begun reports whether the listener's config serves.
func (s *start) begun() bool {
	if s.serving != nil && !s.serving() {
		return false
	}
	s.serving = nil
	return true
}

// newestServing returns the last of a socket's listeners whose config serves, or nil if none does yet.
func newestServing[L interface{ begun() bool }](listeners []L) (none L) {
	for _, ln := range slices.Backward(listeners) {
		if ln.begun() {
			return ln
		}
	}
	return none
}
