// Package hostile plays scripts that misbehave in both runtimes: they allocate or compute without an end, die, throw what can't
// be told, and poison what they share with the runtime. Its tests are all that there is, and they need Linux.
//
// # Promises
//
// The client for which a script misbehaves is kept out in time, and a client that must be kept out is never let in. Innocent
// clients are decided about again soon. A script takes no more memory than docs/script.md says, and leaves nothing behind.
package hostile
