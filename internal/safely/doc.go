// Package safely limits a panic to the connection or the task in which it happens. What the project starts in a goroutine
// or by a timer runs in Do or Func, and what others call for a connection begins with a deferred Recover. So a fault in
// this project ends that connection, is reported with its stack and counted, and has no other effect.
//
//	go safely.Do("probe", func() { … })                     a goroutine
//	time.AfterFunc(d, safely.Func("expiry", t.expire))      a timer
//	defer safely.Recover("handler", func() { c.Close() })   a call from outside
//
// A panic gives back what was acquired through the functions that are deferred on its way, and through those that
// Recover is given. No package helps against the faults for which the runtime ends the process: out of memory, or a map
// that two goroutines write at once.
//
// All functions may be called on any goroutine. SetReporter and Inject change settings of the whole process.
package safely
