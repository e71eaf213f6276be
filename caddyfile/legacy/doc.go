// Package legacy runs what was made for LoadBalancer.js: the config adapter `loadbalancer` turns its config.json into
// Caddy's JSON, and the command `caddy loadbalancer` stands in for its command line.
//
// # What it promises
//
// The adapter knows every option of LoadBalancer.js. It accepts what has no meaning any more with a warning, and refuses
// what cannot be served as it was meant; it never ignores anything. Clients go to the same targets as before.
//
//	config.json ── decode, readObject ──▶ config ── caddy ──▶ Caddy's JSON ──▶ caddy run
//	               document.go            options.go          adapter.go
//
// The command manages several instances side by side. Each is a process of its own, with a file in the folder of
// instances that belongs to its user, by which `list`, `reload` and `stop` find it:
//
//	run:    check the config ─▶ register ─▶ become the user ─▶ Caddy serves ─▶ remove the file
//	start:  run in a child process, and wait until that serves
//	reload: find the instance ─▶ check the config ─▶ become its user ─▶ POST /load to its admin endpoint
//	stop:   find the instances ─▶ signal them ─▶ wait until they are gone
//
// # Who owns what
//
// An instance owns its file and its admin socket and removes both when it ends. A process that crashes cannot, so every
// command that reads the folder removes the files of processes that are gone. Only the user of the folder can write
// there; what root does never depends on a file that another user can change.
//
// # Goroutines
//
// A command runs on the goroutine that calls it, once in a process, and so nothing here is locked against other
// goroutines. Several processes at the same time are kept apart by a lock of the folder. The adapter may be called at any
// time and on any goroutine: it has no state except for beforeServing, which the command sets before Caddy starts.
package legacy
