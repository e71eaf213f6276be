package session

import (
	"net/netip"
	"slices"
)

// Parts is how many parts of a table Scan tells apart.
const Parts = shardCount

// Follow does for one client what was done to its session in another table: the session has another target or, if that is none, is
// forgotten. A session with connections keeps its target until the last one is released; if the target is none, it is placed anew with its
// next connection. Follow does nothing for a client that has no session here. It reports whether the session has the target now.
func (t *Table[T]) Follow(client netip.Addr, target T) bool {
	var none T
	client = client.Unmap()
	hash := t.hash(client)
	sh := t.shard(hash)
	sh.mu.Lock()
	defer t.unlock(sh)
	s := sh.sessions.find(client, hash)
	if s == nil || s.target == none {
		return target == none
	}
	info, present := t.unsyncedInfo(sh, s, t.now())
	switch {
	case !present || s.target == target:
	case target == none:
		t.unsyncedForget(sh, s, Dropped)
		return true
	case !info.Live():
		t.unsyncedMove(sh, s, target, Placed, Followed)
	}
	return present && s.target == target
}

// Scan calls do with the sessions of one of the Parts that have a target. It is called with a shard locked; it must be quick and must
// not use the table.
func (t *Table[T]) Scan(part int, do func(Info[T])) {
	for batch := range slices.Chunk(t.shards[part].all(), examined) {
		t.eachOf(&t.shards[part], batch, func(_ *shard[T], _ *Session[T], info Info[T]) { do(info) })
	}
}
