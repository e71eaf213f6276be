package redis

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// anyUpdates returns updates of all kinds for a few clients, several for each.
func anyUpdates(random *rand.Rand, n int) []stores.Update {
	all := clients(n / 5)
	for _, other := range []string{"2001:db8::1", "fe80::1%eth0", "fe80::1%a b%"} {
		all = append(all, netip.MustParseAddr(other))
	}
	targets := []string{targetA, targetB, "unix//run/a b%.sock", ""}
	updates := make([]stores.Update, n)
	for i := range updates {
		updates[i] = stores.Update{
			Client: all[random.IntN(len(all))], Target: targets[random.IntN(len(targets))], Replaces: targets[random.IntN(len(targets))],
			Any: random.IntN(8) == 0, Live: random.IntN(2) == 0, TTL: time.Duration(1+random.IntN(500)) * time.Minute,
		}
	}
	return updates
}

// What comes of updates in one call is what comes of them one after the other, and so are the records.
func TestBatchIsLikeSingleUpdates(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	random := rand.New(rand.NewPCG(3, 4))
	for round, size := range []int{1, 5, 100, 1000, 5000} {
		node := "n" + strconv.Itoa(round%3)
		batch := anyUpdates(random, size)
		single := slices.Clone(batch)
		for i := range single {
			if err := store.Update(t.Context(), "single", node, single[i:i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := store.Update(t.Context(), "batch", node, batch); err != nil {
			t.Fatal(err)
		}
		for i := range batch {
			if batch[i] != single[i] {
				t.Fatalf("update %d of %d: %+v, one by one %+v", i, size, batch[i], single[i])
			}
		}
		mustBeAlike(t, s, batch)
	}
}

func mustBeAlike(t *testing.T, s *server, updates []stores.Update) {
	t.Helper()
	names := map[string]names{"single": namesOf("sticky", "single"), "batch": namesOf("sticky", "batch")}
	for _, u := range updates {
		var records [2]string
		var left [2]time.Duration
		for i, pool := range []string{"single", "batch"} {
			n := names[pool]
			records[i] = s.cli("GET", n.session(u.Client))
			ms, err := strconv.Atoi(s.cli("PTTL", n.session(u.Client)))
			if err != nil {
				t.Fatal(err)
			}
			left[i] = time.Duration(ms) * time.Millisecond
		}
		if records[0] != records[1] || (left[0]-left[1]).Abs() > 30*time.Second {
			t.Fatalf("%v: %q for %v, one by one %q for %v", u.Client, records[1], left[1], records[0], left[0])
		}
	}
}

// A server that is no cluster gets few commands, whatever the tags of the sessions.
func TestBatchIsFewCommands(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	updates := make([]stores.Update, 90)
	for i, c := range clients(len(updates)) {
		updates[i] = stores.Update{Client: c, Target: targetA, TTL: time.Minute}
	}
	for range 2 { // at first it does not know the script
		s.cli("CONFIG", "RESETSTAT")
		if err := store.Update(t.Context(), "default", "n1", updates); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.calls("evalsha"); n != 1 {
		t.Errorf("%d commands for %d sessions", n, len(updates))
	}
}
