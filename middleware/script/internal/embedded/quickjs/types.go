package quickjs

import "errors"

// leastArguments are what a Function gets, nil for what is not given.
const leastArguments = 5

// Function is a function of Go that JavaScript calls. It gets undefined and null as nil, booleans, numbers as float64, and
// strings; ArrayBuffers and views of them as []byte, in which it may write; anything else as Value. Bytes and long strings are
// those of the VM and hold for the call only. It returns what Call takes. An error is thrown.
type Function func(arguments []any) (any, error)

// Owned is a value that a Function gives away, where it keeps its reference to a Value.
type Owned struct{ Value Value }

// Buffer is bytes that are given back once the VM has a copy.
type Buffer interface {
	Bytes() []byte
	Release()
}

// Exception is what JavaScript has thrown. Its value must be freed.
type Exception struct{ Value Value }

func (e *Exception) Error() string { return "exception of JavaScript" }

// ErrInterrupted is the error of what Interrupt has ended, or the end of the memory.
var ErrInterrupted = errors.New("interrupted")

// Fields are the properties that an error has in JavaScript, beside its message. Class is that of its constructor.
type Fields interface {
	error
	Fields() (class string, properties any)
}

// Host is what a VM calls of its own accord.
type Host interface {
	// Rejected is called for a promise that is rejected and has no handler, and again with handled when it gets one.
	Rejected(promise, reason Value, handled bool)
}
