// Package l4sticky keeps clients with their targets: the handler `sticky_proxy`, which balances TCP
// connections, and the selection policy `sticky_ip` with its handler `sticky_session`, which bring the
// same stickiness to caddy-l4's own `proxy` handler. Configs name their modules; no other package calls them.
//
// The way of a connection:
//
//	Handler.Handle ─▶ acquire ─▶ picker ─▶ relay.Go or ─▶ established ─▶ close
//	 (layer4)         a holding:  which     relay.Run      TargetFailed   gives the
//	                  pool and    target    (they dial     and Done       holding back
//	                  session     is next   and relay)
//
// What outlives a config is in a pool, by its name: the sessions, the targets with their health, and how many connections
// are open. A poolConfig is what one config makes of a pool; it never changes. A pool lives while a config or a connection
// uses it.
//
// Beside connections, a pool has a watch for each name of its upstreams, and a checker for each target if they are checked: goroutines
// that end with the last config that wants them. The config that counts for checkers is the one that runs. Whatever changes with a
// target is told by pool.tell: to the log, and to the handlers of Caddy's events that this config has, on a goroutine that runs while
// there are events.
//
// If the sessions are shared, a pool has a sharing, which outlives the config whose store it uses until another one counts or the pool
// ends. If they are kept over a restart, it has a keeper, which writes them into Caddy's storage. Both see the table from outside, and what
// happens in it by pool.note; only a client that is new waits for a store, by pool.lookUp.
//
// Metrics are read from the pools when they are asked for, by a collector that each config registers. What a pool counts for them alone
// is in its counts; targets count what is about them.
//
// Each connection has one holding. The picker has it until a target accepts, the established connection has it from
// then on, or gives it back to a picker if the target ends it before it is used, and whichever has it at the end closes it,
// once. The relay owns the sockets. Handle owns the connection that
// layer4 gives it only until it returns.
//
// layer4 calls Handle on a goroutine for each connection. The relay calls a picker and an established connection on the
// goroutine of an event loop, or on those of Handle, one call at a time for each connection; they do not block. Caddy
// provisions and cleans up one config at a time, while connections of others go on. The state of a pool may be used by all
// of them at once.
package l4sticky
