// Package target keeps the targets of a balancer: whether they are active, how many connections they have, which
// addresses their names stand for, and which one a client is placed on.
//
// # What it promises
//
// A Target is the live state of one address. However many configs name the address, they share the Target, and it keeps
// its state while configs come and go. A Set is the targets of one config with their settings. They change as the addresses of
// names do (Set.Update), and with what is set beside the config (Registry.Control); a Member never changes. For the same
// client, targets, settings and usability, Set.Place returns the same target on every machine and after a restart, unless the
// placement is random, or a target starts slowly.
//
//	Registry ── one ──▶ Target ◀── one ── Member ◀── each once ── Set
//	 of a pool  for each address   with its settings in a config    of a config
//
// A target that is active gets new connections. Deactivate keeps them away for a while, and a probe that is accepted
// ends that early. Suspicion stands between the two: a target that lets several clients wait is suspect, and gets
// new connections only where there is no better target.
//
//	              Late, from several clients             Deactivate
//	trusted ──────────────────────────────────▶ suspect ────────────▶ inactive
//	   ▲  ◀──────────────────────────────────────  │                     │
//	   │      Accepted                                                   │
//	   └─────────────────────────────────────────────────────────────────┘
//	          the time of the deactivation has passed, or Activate
//
// What an operator or an agent wants stands above both: a target that drains gets no new clients, one in maintenance gets no
// connections, and weight and limit may be others than the config's (Registry.Control).
//
// A target that is full may have a queue: a Ticket is a connection's place in the queues of several targets, and the first that
// has room claims it for the connection.
//
// Beside that, a target whose health checks fail is down: it is not active either, until enough checks have passed. That also ends
// a deactivation (Checked). What is down and not deactivated may accept, so callers may dial it when no target is active.
//
// # Who owns what
//
// The creator of a Set closes it, once, when its config is not used any more. The Registry forgets a target that no Set
// holds when another set changes and the target has neither connections nor sessions. The caller of Claim or BeginProbe gives back what it got by one Release
// or EndProbe. The caller of Queue gives its ticket back by Leave.
//
// # Goroutines
//
// All methods of Registry, Set, Member and Target may be called on any goroutine, except that a Set is closed once. None
// but Resolve, which asks the system's resolver, blocks. The functions given to Place run on the caller's goroutine
// without a lock; waiters are woken on the goroutine that calls EndProbe, Release, or what else they wait for. The package dials nothing, and has no clock but
// the one that the Registry is given.
package target
