package session

import "slices"

// Walk calls visit for the sessions that have a target and are not expired, in any order, while no shard is locked. A session that is in
// the table all the time comes once; one that comes or goes meanwhile may be left out. It costs less than to List them all, and like
// that holds a lock for a few sessions at a time.
func (t *Table[T]) Walk(visit func(Info[T])) {
	var none T
	placed := func(i Info[T]) bool { return i.Target != none }
	batch := make([]Info[T], 0, examined)
	for n := range t.shards {
		sh := &t.shards[n]
		for sessions := range slices.Chunk(sh.all(), examined) {
			batch = t.examine(sh, sessions, batch[:0], examined, placed)
			for _, i := range batch {
				visit(i)
			}
		}
	}
}
