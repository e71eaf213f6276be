// Package safely keeps a panic to what it happens in. Whatever the project starts in a goroutine or by a timer runs
// in here, and whatever others call for a connection begins here, so that a fault of ours ends that connection, is
// reported with its stack and counted, and does nothing else.
//
// A panic gives back what was taken by the functions that are deferred on its way, and by those that Recover is given.
// Nothing helps against what the runtime ends the process for: no memory left, or a map that is written twice at once.
package safely

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
)

// ErrPanic is what a connection ends with whose code has panicked.
var ErrPanic = errors.New("internal error")

var (
	panics   atomic.Int64
	reporter atomic.Pointer[func(place string, fault any, stack []byte)]
	hook     atomic.Pointer[func(place string)]
)

// Do runs a function that must not take more than itself down. It is meant to be started by a go statement, or for one
// of several that don't depend on each other. Place names it in the report. What is to be undone after a panic is as in
// Recover.
func Do(place string, f func(), undo ...func()) {
	defer Recover(place, undo...)
	f()
}

// Func returns a function that does what Do does, for timers and others that call back.
func Func(place string, f func(), undo ...func()) func() {
	return func() { Do(place, f, undo...) }
}

// Recover is to be deferred, and not within another deferred function. It ends a panic, reports it and then calls the
// functions that it was given, each of which may panic in its turn.
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

// Report counts and reports a panic that somebody has recovered from. It must be called from the deferred function in
// which that was done, for the sake of the stack.
func Report(place string, fault any) {
	panics.Add(1)
	defer func() { _ = recover() }()
	if report := reporter.Load(); report != nil {
		(*report)(place, fault, debug.Stack())
		return
	}
	slog.Error("panic", "place", place, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
}

// Count counts a panic that somebody has recovered from and reports in another way.
func Count() { panics.Add(1) }

// SetReporter sets what becomes of the reports. They may come at any rate. Until it is called they go to the default
// logger of package slog.
func SetReporter(report func(place string, fault any, stack []byte)) { reporter.Store(&report) }

// Panics returns how many panics there have been.
func Panics() int64 { return panics.Load() }

// Reach says that a place in the code is reached, where a test may want a panic. It costs next to nothing otherwise.
func Reach(place string) {
	if f := hook.Load(); f != nil {
		(*f)(place)
	}
}

// Inject has a test's function called wherever Reach is, until the function is called that it returns.
func Inject(f func(place string)) (end func()) {
	hook.Store(&f)
	return func() { hook.Store(nil) }
}
