// Package eventloop carries many connections with few threads, by the events of their sockets. It knows nothing of what
// they are for: a Task is two sockets at most, a deadline, and a Handler that is told what happens.
//
//	Add, Post ─▶ inbox ─┐
//	epoll(7) ─▶ events ─┼─▶ one turn after the other ─▶ Handler of the task, or Acceptor
//	deadlines ─▶ timers ┘    by the leader
//
// There is one loop at first, the main one, which also accepts. Further ones come when it is full and a core is idle, up to
// one for each core that Go uses, and busy tasks move to them (Moves, MoveTo).
//
// A loop has no thread of its own. Its leader runs the turns: a goroutine that waits in a listener's Accept (a Follower),
// because then a new connection needs no other thread; or a goroutine that the loop starts while there are tasks and
// no Accept waits. There is one leader at a time.
//
// All that belongs to a task, its sockets included, is touched by its loop only: by the methods of its Handler and by
// functions that were posted. Post, Add, Nudge, Follow, Reclaim and the methods of Budget and Follower may be called from
// any goroutine. Handlers must not block. A panic in one ends its task by Abandon, and nothing else.
//
// The loop owns its epoll descriptor, for ever; a task's sockets are its handler's to close.
//
// Loops are for Linux. On other systems the package has Report only.
package eventloop
