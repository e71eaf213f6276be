package session

import "net/netip"

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

// Scan calls do with the sessions of one of the Parts that have a target. One that is in the table all the while comes at least
// once. Do is called with a shard locked; it must be quick and must not use the table.
func (t *Table[T]) Scan(part int, do func(Info[T])) {
	sh := &t.shards[part]
	for slots, left := -1, 0; slots < 0 || left > 0; {
		slots, left = t.scanSlots(sh, slots, left, do)
	}
}

// scanSlots is Scan for the last of the slots that are left, of so many that there were before, and returns how many there are now and
// are left. It goes downwards, as sessions move down when others end.
func (t *Table[T]) scanSlots(sh *shard[T], before, left int, do func(Info[T])) (slots, still int) {
	var none T
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now, all := t.now(), sh.sessions.slots
	if len(all) != before {
		left = len(all) // the index has grown, and the sessions are elsewhere
	}
	for _, s := range all[max(0, left-examined):left] {
		if s == nil || s.target == none {
			continue
		}
		if info := s.info(); info.Live() || !t.expired(s, now) {
			do(info)
		}
	}
	return len(all), max(0, left-examined)
}
