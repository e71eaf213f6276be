package safely

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// ErrPanic is the error of a connection whose code has panicked.
var ErrPanic = errors.New("internal error")

var (
	panics   atomic.Int64
	reporter atomic.Pointer[func(place string, fault any, stack []byte)]
	hook     atomic.Pointer[func(place string)]
)

// Do calls f and ends a panic in it as Recover does. It is meant for go statements, and for one of several calls that do
// not depend on each other. Place names the code in the report.
func Do(place string, f func(), undo ...func()) {
	defer Recover(place, undo...)
	f()
}

// Func returns a function that does what Do does, for timers and other callbacks.
func Func(place string, f func(), undo ...func()) func() {
	return func() { Do(place, f, undo...) }
}

// Recover ends a panic, reports it and then calls the undo functions, each of which may panic itself. It must be
// deferred directly: within another deferred function it does nothing.
func Recover(place string, undo ...func()) {
	fault := recover()
	if fault == nil {
		return
	}
	Report(place, fault)
	for _, f := range undo {
		Do(place, f)
	}
}

// Report counts and reports a panic from which the caller has recovered. The caller must be the deferred function that
// called recover, so that the stack shows where the panic came from.
func Report(place string, fault any) {
	panics.Add(1)
	defer func() { _ = recover() }()
	if report := reporter.Load(); report != nil {
		(*report)(place, fault, debug.Stack())
		return
	}
	slog.Error("panic", "place", place, "error", fmt.Sprint(fault), "stack", string(debug.Stack()))
}

// Count counts a panic from which the caller has recovered, and which it reports in another way.
func Count() { panics.Add(1) }

// SetReporter sets the function that gets the reports, on the goroutine that panicked and at any rate. Until it is called,
// the reports go to the default logger of package slog. Undo sets the function that there was before.
func SetReporter(report func(place string, fault any, stack []byte)) (undo func()) {
	before := reporter.Swap(&report)
	return func() { reporter.Store(before) }
}

// Panics returns how many panics there have been.
func Panics() int64 { return panics.Load() }

// Reach marks a place in the code where a test may want a panic. It costs next to nothing without a test.
func Reach(place string) {
	if f := hook.Load(); f != nil {
		(*f)(place)
	}
}

// Inject sets the function of a test that every Reach calls from now on, until the test calls end.
func Inject(f func(place string)) (end func()) {
	hook.Store(&f)
	return func() { hook.Store(nil) }
}
