// Package decide is what the runtimes of scripts have in common: clients wait for a decision, an engine makes it, and an
// engine that ends by itself is followed by another one.
//
//	Decide ─▶ pending ─▶ Engine.Decide ─▶ the script ─▶ Settle ─▶ Decide returns
//	             ▲                │
//	             │                └── Done: the engine failed
//	             └── asked again ◀── the next engine ◀── Runtime.Start
//
// What middlewares get is the same in both runtimes: the files in js, which a runtime loads with an object, native, whose
// functions tell the Script what becomes of clients. Script and JavaScript know a client by its number. After it was let in,
// the Script remembers it for as long as JavaScript holds its socket, which can still end the connection or wait for its end.
//
// # Promises
//
// Each call of Script.Decide gets one answer, whatever the script and its engine do. A client is let in only if an engine has
// settled its decision with nil. When an engine ends, those that still wait for an answer are asked about again, by the
// next engine, in the order in which they came. While no engine can be started, each client is kept out.
//
// # Ownership
//
// Open starts the first engine and a goroutine that replaces engines; the owner of a Script ends both with Close, or with Retire
// as soon as no client has waited for a while. The Script shuts each engine that it was given.
//
// # Goroutines
//
// All functions may be called by any goroutine. An engine's Decide and Left are called by the clients' goroutines and by the one
// that replaces engines; they must not block.
package decide
