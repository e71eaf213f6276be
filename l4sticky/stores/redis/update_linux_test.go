package redis

import (
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

const (
	targetA = "10.0.0.11:8000"
	targetB = "10.0.0.12:8000"
)

var client = netip.MustParseAddr("10.1.2.3")

// The first target stays, until the client has left it.
func TestFirstTargetStays(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	for i, step := range []struct {
		update stores.Update
		kept   string
		known  bool
	}{
		{stores.Update{Target: targetA}, targetA, false},
		{stores.Update{Target: targetA}, targetA, true},
		{stores.Update{Target: targetB}, targetA, true},
		{stores.Update{Target: targetB, Replaces: targetB}, targetA, true},
		{stores.Update{Target: targetB, Replaces: targetA}, targetB, true},
		{stores.Update{Target: targetA, Any: true}, targetA, true},
		{stores.Update{Replaces: targetB}, targetA, true}, // not there
		{stores.Update{}, targetA, true},
		{stores.Update{Replaces: targetA}, "", true},
		{stores.Update{Replaces: targetA}, "", false},
		{stores.Update{Any: true}, "", false},
		{stores.Update{Target: targetB, Replaces: targetA}, targetB, false},
		{stores.Update{Any: true}, "", true},
		{stores.Update{Live: true}, "", false},
	} {
		step.update.Client, step.update.TTL = client, time.Minute
		if got := update(t, store, "n1", step.update); got.Kept != step.kept || got.Known != step.known {
			t.Errorf("step %d: %+v", i, got)
		}
	}
	if keys := s.cli("KEYS", "*"); keys != "" {
		t.Errorf("there are keys: %s", keys)
	}
}

// A record is kept at least for the TTL, and exactly so long from when the last node has no connections any more.
func TestTTL(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	n := namesOf("sticky", "default")
	key := n.session(client)
	for i, step := range []struct {
		node   string
		live   bool
		ttl    time.Duration
		record string
		left   time.Duration
	}{
		{"n1", false, time.Minute, targetA, time.Minute},
		{"n1", false, 10 * time.Second, targetA, time.Minute},
		{"n1", true, time.Minute, targetA + " n1", time.Minute},
		{"n1", true, 10 * time.Second, targetA + " n1", time.Minute},
		{"n2", true, time.Hour, targetA + " n1 n2", time.Hour},
		{"n3", false, time.Minute, targetA + " n1 n2", time.Hour},
		{"n1", false, time.Minute, targetA + " n2", time.Hour},
		{"n1", false, 2 * time.Hour, targetA + " n2", 2 * time.Hour},
		{"n2", false, 10 * time.Second, targetA, 10 * time.Second},
		{"n2", false, time.Minute, targetA, time.Minute},
		{"n1", true, 10 * time.Second, targetA + " n1", time.Minute},
		{"n1", false, time.Nanosecond, "", 0},
	} {
		update(t, store, step.node, stores.Update{Client: client, Target: targetA, Live: step.live, TTL: step.ttl})
		if step.left == 0 {
			s.await("the end of the session", func() bool { return s.cli("EXISTS", key) == "0" })
			continue
		}
		left, _ := strconv.Atoi(s.cli("PTTL", key))
		if record := s.cli("GET", key); record != step.record {
			t.Errorf("step %d: the record is %q", i, record)
		}
		if d := step.left - time.Duration(left)*time.Millisecond; d < 0 || d > step.left/2 {
			t.Errorf("step %d: %d ms are left", i, left)
		}
	}
}

// Several updates for a client are done in their order, however many there are.
func TestUpdatesAreDoneInTheirOrder(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	all := clients(20)
	var updates []stores.Update
	for round := range 50 {
		for _, c := range all {
			updates = append(updates, stores.Update{Client: c, Target: "t" + strconv.Itoa(round+1) + ":1", Replaces: "t" + strconv.Itoa(round) + ":1", TTL: time.Minute})
		}
	}
	for range 5 * maxKeys { // all of one tag
		updates = append(updates, stores.Update{Client: all[0], Target: "t51:1", Replaces: "t50:1", TTL: time.Minute}, stores.Update{Client: all[0], Target: "t50:1", Replaces: "t51:1", TTL: time.Minute})
	}
	if err := store.Update(t.Context(), "default", "n1", updates); err != nil {
		t.Fatal(err)
	}
	for i, u := range updates {
		if u.Kept != u.Target || u.Known != (i >= len(all)) {
			t.Fatalf("update %d: %+v", i, u)
		}
	}
}

// Two nodes that claim the same clients at once have one winner each.
func TestOneWinner(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	var batches [2][]stores.Update
	var done sync.WaitGroup
	for i, target := range []string{targetA, targetB} {
		store := open(t, "", s)
		for j, c := range clients(1000) {
			if i == 1 {
				j = 999 - j
				c = clients(1000)[j]
			}
			batches[i] = append(batches[i], stores.Update{Client: c, Target: target, Live: true, TTL: time.Minute})
		}
		done.Go(func() {
			if err := store.Update(t.Context(), "default", "n"+strconv.Itoa(i), batches[i]); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	wins := make(map[string]int)
	for i, a := range batches[0] {
		b := batches[1][999-i]
		if a.Client != b.Client || a.Kept != b.Kept || a.Known == b.Known || a.Known != (a.Kept == targetB) {
			t.Fatalf("%+v and %+v", a, b)
		}
		wins[a.Kept]++
	}
	t.Log(wins)
}

// Clients, targets, nodes and pools may have any characters.
func TestAnyNames(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, `{"key_prefix": "shop:eu"}`, s)
	for _, pool := range []string{"default", "{}", "a b", "*", "{x}y", "§\n\"", "a:b", "a%3Ab", ""} {
		for _, c := range []string{"10.1.2.3", "2001:db8::1", "fe80::1%eth0", "fe80::1%a b}{", "::ffff:10.1.2.3"} {
			for _, target := range []string{targetA, "[fe80::1%eth0]:80", "unix//run/a b%20.sock", "app.internal:80"} {
				updates := []stores.Update{{Client: netip.MustParseAddr(c), Target: target, Live: true, TTL: time.Minute}}
				for i := range 2 {
					if err := store.Update(t.Context(), pool, "n 1%", updates); err != nil {
						t.Fatal(err)
					}
					if u := updates[0]; u.Kept != target || u.Known != (i == 1) {
						t.Errorf("%q: %+v", pool, u)
					}
					updates[0].Live = false
				}
				updates[0].Target, updates[0].Replaces = "", target
				if err := store.Update(t.Context(), pool, "n 1%", updates); err != nil || updates[0].Kept != "" {
					t.Errorf("%q: %+v, %v", pool, updates[0], err)
				}
			}
		}
	}
	if keys := s.cli("KEYS", "*"); keys != "" {
		t.Errorf("there are keys: %s", keys)
	}
}

// What is no string stands where a session belongs. It makes room: it would be an error each time that the session is told else, and have all
// that is told with it told again.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	n := namesOf("sticky", "default")
	all := clients(2000)
	s.cli("LPUSH", n.session(all[7]), "x")
	updates := make([]stores.Update, len(all))
	for i := range all {
		updates[i] = stores.Update{Client: all[i], Target: targetA, TTL: time.Minute}
	}
	if err := store.Update(t.Context(), "default", "n1", updates); err != nil {
		t.Error(err)
	}
	for i, u := range updates {
		if u.Kept != targetA || u.Known {
			t.Errorf("update %d: %+v", i, u)
		}
	}
}

// Nodes that died while a session went on do not pile up in its record.
func TestNodesOfARecordAreBounded(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	n := namesOf("sticky", "default")
	for i := range 200 {
		update(t, store, "node"+strconv.Itoa(i), stores.Update{Client: client, Target: targetA, Live: true, TTL: time.Minute})
	}
	record := s.cli("GET", n.session(client))
	if len(record) > len(targetA)+256 || record[len(record)-8:] != " node199" || record[:len(targetA)+5] != targetA+" node" {
		t.Errorf("the record is %q", record)
	}
	update(t, store, "long"+string(make([]byte, 300)), stores.Update{Client: client, Target: targetA, Live: true, TTL: time.Minute})
	if record := s.cli("GET", n.session(client)); record != targetA {
		t.Errorf("the record is %q", record)
	}
}

// The server may forget the scripts.
func TestScriptsAreLoadedAgain(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	for i := range 3 {
		updates := make([]stores.Update, 500)
		for j, c := range clients(500) {
			updates[j] = stores.Update{Client: c, Target: targetA, TTL: time.Minute}
		}
		if err := store.Update(t.Context(), "default", "n1", updates); err != nil {
			t.Fatal(err)
		}
		for _, u := range updates {
			if u.Kept != targetA || u.Known != (i > 0) {
				t.Fatalf("%+v", u)
			}
		}
		s.cli("SCRIPT", "FLUSH")
	}
}

func namesOfDefault() *names {
	n := namesOf("sticky", "default")
	return &n
}

// Before Redis 7, a script does not know the version, and PEXPIRE has no GT.
func TestTTLBeforeRedis7(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	old := strings.Replace(updateSource, "redis.REDIS_VERSION_NUM", "nil", 1)
	if old == updateSource {
		t.Fatal("the script does not ask for the version")
	}
	for i, step := range []struct {
		ttl  string
		left int
	}{{"60000", 60_000}, {"10000", 60_000}, {"3600000", 3_600_000}, {"-10000", 10_000}, {"-60000", 60_000}, {"-10000", 60_000}} {
		s.cli("EVAL", old, "1", "{x}10.1.2.3", "n1", "channel", "\x01", targetA, "", step.ttl)
		if left, _ := strconv.Atoi(s.cli("PTTL", "{x}10.1.2.3")); left > step.left || left < step.left/2 {
			t.Errorf("step %d: %d ms are left", i, left)
		}
	}
}
