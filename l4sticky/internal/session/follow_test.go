package session

import (
	"testing"
)

// TestScan finds each session that has a target once, in one of the parts.
func TestScan(t *testing.T) {
	table, _ := newTable(1000)
	for n := range 300 {
		visit(table, addr(n), "A")
	}
	live := table.Acquire(addr(300))
	defer table.Release(live)
	place(table, live, "B")
	unplaced := table.Acquire(addr(301))
	defer table.Release(unplaced)
	seen := make(map[string]int)
	for part := range Parts {
		table.Scan(part, func(i Info[string]) {
			seen[i.Client.String()]++
			if i.Live() != (i.Target == "B") {
				t.Errorf("%+v", i)
			}
		})
	}
	for client, times := range seen {
		if times != 1 {
			t.Errorf("%s comes %d times", client, times)
		}
	}
	if len(seen) != 301 {
		t.Errorf("%d sessions, want 301", len(seen))
	}
}
