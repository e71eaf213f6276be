// Package embedded runs the balancerController scripts of LoadBalancer.js in this process: JavaScript for Node.js that
// decides which connections may come in.
//
//	Decide ─▶ event loop (one goroutine) ─▶ the script's middlewares, one after the other ─▶ Settle
//	              ▲
//	              └── timers, sockets, files, answers of the network
//
// A script runs on one goroutine, its event loop, as it would in Node: what it keeps in variables stays, and while one
// client waits for a timer or an answer, others are decided. A script that does not come back is stopped and started anew,
// and it is asked again about the clients that were waiting.
//
// Each call of Decide gets one answer, whatever the script does: it throws, answers twice or never, allocates without
// bound. A client is let in only if each middleware has said so. Time and memory are bounded by Options.
//
// Start begins two goroutines, the event loop and a watchdog that stops it when it does not come back; Shut ends them. All
// JavaScript values belong to the event loop, and only functions that it runs touch them; the functions in Client and
// Targets are called by it, too, and must not block.
package embedded
