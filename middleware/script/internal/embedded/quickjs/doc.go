// Package quickjs runs JavaScript in a virtual machine (VM) that can be ended from outside, whatever it does.
//
// QuickJS, translated to Go by modernc.org/libquickjs, keeps all of a script's data in one region of memory that belongs
// to the VM alone. So the memory that a script takes is bounded by the size of the region, and Close gives all of it back
// to the system at once. Interrupt ends JavaScript that computes; Kill ends whatever the VM is at, also built-in functions
// that never look whether they are interrupted: it takes the region away, and the next access to it panics.
//
// A VM belongs to the goroutine that calls New, which must defer Recover before that and calls everything else but
// Interrupt and Kill: these may be called from any goroutine until Close was called. After a panic, and once Exhausted reports that memory has run
// out, a VM must only be closed.
//
// Values are counted: what Call, Eval and Dup return must be given to Free once.
package quickjs
