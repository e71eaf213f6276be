package session

// reserve counts one more session, if the table has room or an idle session can make it.
func (t *Table[T]) reserve() bool {
	for {
		if t.size.Add(1) <= t.capacity.Load() {
			return true
		}
		t.size.Add(-1)
		if !t.evictOldest() {
			return false
		}
	}
}

// evictOldest ends the session that has been idle longest and reports whether there was one.
func (t *Table[T]) evictOldest() bool {
	for {
		var oldest *shard[T]
		since := never
		for i := range t.idleSince {
			if s := t.idleSince[i].Load(); s < since {
				oldest, since = &t.shards[i], s
			}
		}
		if oldest == nil {
			return false
		}
		if t.evictHead(oldest) {
			return true
		}
	}
}

// evictHead ends the session of a shard that has been idle longest and reports whether there was one.
func (t *Table[T]) evictHead(sh *shard[T]) bool {
	sh.mu.Lock()
	defer t.unlock(sh)
	s := sh.head()
	if s == nil {
		return false
	}
	t.unsyncedEnd(sh, s, Evicted)
	return true
}
