// Package node runs scripts in Node.js itself: a child process that loads the script beside a small host program, the files in js,
// and is asked about clients through pipes.
//
//	Decide ──▶ frames, gathered ──▶ the host ──▶ the script's middlewares
//	Settle ◀── frames, gathered ◀────┘  └──▶ the mark: the client for whom the script is at work
//	                a watchdog kills a process that does not come back
//
// # Promises
//
// What the script has is what Node.js gives it. The process runs as Caddy's user, with none of the capabilities that Caddy may
// have, and with no descriptors but its pipes. It ends with Caddy, on Linux also when it hangs and Caddy is killed. What it
// has started and not detached ends with it. Its heap is
// bounded by the memory limit, and on Linux all its memory by one and a half of it, beyond what Node.js itself takes: the
// watchdog kills it before, and where Node.js reserves little, the kernel gives it no more.
//
// An engine is done when its process has ended, for whatever reason. Of the clients that wait, it keeps out the one for whom
// the script was at work, which the mark tells even after the process's death; if that was none, it keeps out the clients that
// have been in a process that ended before. All others are left to the next engine.
//
// # Ownership
//
// A runtime holds nothing. Start starts the goroutines of an engine, which end with its process. Shut ends that by the end of the context
// with which it was started; its cause is why the engine is done.
//
// # Goroutines
//
// An engine's methods may be called by any goroutine. One goroutine reads the answers and calls what Client and Targets have.
package node
