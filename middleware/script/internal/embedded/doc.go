// Package embedded is the runtime of scripts that needs nothing installed: QuickJS, and in js the modules of Node.js that a
// script needs which only decides who may come in.
//
//	Decide ─▶ tasks ─▶ event loop (one goroutine) ─▶ the script's middlewares, in decide/js/balancer.js
//	                       │ ▲                              │
//	   Script.Settle ◀─────┘ └── timers, files, names ◀─────┘
//	             a watchdog stops an event loop that does not come back
//
// An engine is one run of a script, on one goroutine, its event loop: what it keeps in variables stays, and while one client
// waits for a timer or a file, others are decided. What an engine computes without a pause is a turn. A turn that takes
// too long, or all of the memory, is the engine's last: the client it worked for is kept out, the engine gives its memory
// back, and Script.Replace has another one started.
//
// All values of JavaScript belong to the event loop, and only functions that it runs touch them. The methods of an engine may
// be called from any goroutine.
package embedded
