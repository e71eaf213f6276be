package main

import (
	"math"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// small is the history of the report with fewer clients.
func small(rehash bool) *scenario {
	return newScenario(config{clients: 5_000, targets: 100, nodes: 20, seed: 1, rehash: rehash})
}

// phase returns the number of a phase.
func (s *scenario) phase(t *testing.T, name string) int {
	t.Helper()
	i := slices.IndexFunc(s.phases, func(p phase) bool { return strings.HasPrefix(p.name, name) })
	if i < 0 {
		t.Fatalf("there is no phase %q", name)
	}
	return i
}

// perClient returns how many connections were misplaced for each client.
func (s *scenario) perClient(n count) float64 { return float64(n.misplaced) / float64(s.clients) }

func TestStoreKeepsClients(t *testing.T) {
	for _, rehash := range []bool{false, true} {
		s := small(rehash)
		c := simulate(s, runtime.GOMAXPROCS(0))
		for i, p := range s.phases {
			if share := s.perClient(c[byStore][i]); share >= 0.001 {
				t.Errorf("%s, rehash %v: %.3f %% of the clients are misplaced with a store", p.name, rehash, 100*share)
			}
			if want := s.clients; c[byStore][i].returning < want {
				t.Errorf("%s: only %d connections return, of %d clients", p.name, c[byStore][i].returning, want)
			}
		}
		if rehash {
			lost := s.phase(t, "a node is lost")
			if none, store := c[byTables][lost].misplaced, c[byStore][lost].misplaced; none < 20 || none < 10*store {
				t.Errorf("a node is lost: %d connections are misplaced without a store and %d with it: the store makes no difference", none, store)
			}
		}
		mustFollowTheory(t, s, c)
	}
}

// mustFollowTheory compares the counts of what is known with what must come out, so that the simulation can't be wrong without a sign.
func mustFollowTheory(t *testing.T, s *scenario, c counts) {
	t.Helper()
	for i, w := range ways {
		if n := c[i][s.phase(t, "nothing happens")]; n.misplaced > 0 || n.returning == 0 {
			t.Errorf("%s: %d of %d connections are misplaced while nothing happens", w.name, n.misplaced, n.returning)
		}
	}
	fails := s.phase(t, "a target fails")
	if n := c[byTables][fails].misplaced; n > 0 {
		t.Errorf("rendezvous: %d connections of targets that have not failed are misplaced", n)
	}
	// A client whose session has lived on comes to another target in all cases but one in n. Nine in ten clients have come back
	// in time within a phase.
	if share := s.perClient(c[byModulo][fails]); share < 0.8 || share > 0.99 {
		t.Errorf("hash %% n: %.3f of the clients are misplaced when a target fails", share)
	}
	before, after := at(s.usable[0], s.phases[fails].from-1).maglev(), at(s.usable[0], s.phases[fails].from).maglev()
	changed := 0
	for entry, target := range before {
		if target != 0 && after[entry] != target {
			changed++
		}
	}
	want := 0.9 * float64(changed) / maglevSize
	if share := s.perClient(c[byMaglev][fails]); math.Abs(share-want) > want/3 {
		t.Errorf("maglev: %.4f of the clients are misplaced when a target fails, want %.4f", share, want)
	}
}

func TestSameSeedSameCounts(t *testing.T) {
	c := config{clients: 1_500, targets: 10, nodes: 5, seed: 7}
	first := simulate(newScenario(c), 1)
	if again := simulate(newScenario(c), 3); !reflect.DeepEqual(again, first) {
		t.Errorf("three workers count %v, want %v", again, first)
	}
	c.seed = 8
	if other := simulate(newScenario(c), 3); reflect.DeepEqual(other, first) {
		t.Error("another seed makes no difference")
	}
}

// The paper says that the shares of the targets differ by little if the table is a hundred times as large as their number.
func TestMaglevIsEven(t *testing.T) {
	list := make([]int, 100)
	for i := range list {
		list[i] = i
	}
	entries := make([]int, len(list))
	for _, target := range maglevTable(list) {
		entries[target]++
	}
	if least, most := slices.Min(entries), slices.Max(entries); most-least > 1 {
		t.Errorf("the targets have from %d to %d entries", least, most)
	}
}

// sharedOf returns the nodes and the store of a small history for one client, and two targets: where it is placed, and another one.
func sharedOf(t *testing.T) (w *shared, home, other int) {
	t.Helper()
	s := newScenario(config{clients: 1, targets: 10, nodes: 5, seed: 1})
	c := new(client)
	for number := 0; ; number++ { // one that has nothing to do with the targets that fail
		c.become(s, number)
		if home = at(s.usable[0], 0).placed(c); home > 3 && home < 10 {
			break
		}
	}
	w = newShared(s)
	w.begin(c)
	return w, home, 4 + (home-3)%6
}

func TestStore(t *testing.T) {
	const now, soon = 70 * time.Second, 71 * time.Second
	t.Run("another node asks", func(t *testing.T) {
		w, _, other := sharedOf(t)
		w.target, w.until = other, forever
		if to := w.send(1, now); to != other {
			t.Errorf("the client is sent to %d, want %d, where its session is", to, other)
		}
	})
	t.Run("expired", func(t *testing.T) {
		w, home, other := sharedOf(t)
		w.target, w.until = other, now
		if to := w.send(1, now); to != home {
			t.Errorf("the client is sent to %d, want %d", to, home)
		}
	})
	t.Run("a move is told", func(t *testing.T) {
		w, _, other := sharedOf(t)
		w.send(0, now-time.Second)
		w.send(1, now-time.Second)
		w.write = write{true, 1, w.target, other, now, now}
		w.entries[1].target = other
		if to := w.send(0, soon); to != other {
			t.Errorf("the client is sent to %d, want %d, to where it has moved", to, other)
		}
	})
	t.Run("a move is lost with its node", func(t *testing.T) {
		w, home, other := sharedOf(t)
		gone := w.absences[0]
		w.send(0, gone.from-time.Second)
		w.write = write{true, gone.node, home, other, gone.from + time.Millisecond, gone.from - time.Millisecond}
		if to := w.send(0, gone.from+time.Second); to != home {
			t.Errorf("the client is sent to %d, want %d", to, home)
		}
	})
	t.Run("a node that dies lets go", func(t *testing.T) {
		w, _, _ := sharedOf(t)
		gone := w.absences[0]
		w.send(gone.node, gone.from-time.Second)
		w.end(gone.node, gone.from, died)
		if kept := w.until - gone.from; kept < lease || kept > lease+sessionExpiry {
			t.Errorf("the session is kept for %v after its node has died", kept)
		}
	})
}

var share = regexp.MustCompile(`\(([0-9.]+) %\) \|$`)

// The results that are committed are those of this program, and keep the promise.
func TestResults(t *testing.T) {
	page, err := os.ReadFile("results.md")
	if err != nil {
		t.Fatal(err)
	}
	c := config{clients: 10_000_000, targets: 100, nodes: 20, seed: 1}
	s := newScenario(c)
	if !strings.HasPrefix(string(page), introduction(c, "")) {
		t.Errorf("results.md does not begin with\n%s", introduction(c, ""))
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		found := share.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			continue
		}
		rows++
		if percent, err := strconv.ParseFloat(found[1], 64); err != nil || percent >= 0.1 {
			t.Errorf("with a store: %s", line)
		}
	}
	if want := 2 * (len(s.phases) + 1); rows != want {
		t.Errorf("results.md has %d rows, want %d", rows, want)
	}
	for _, p := range s.phases {
		if strings.Count(string(page), "\n| "+p.name+" |") != 2 {
			t.Errorf("results.md does not tell what happens when %s", p.name)
		}
	}
}

// The page about several nodes quotes rows of the results as they are.
func TestPageQuotesResults(t *testing.T) {
	page, err := os.ReadFile("../../../docs/sharing.md")
	if err != nil {
		t.Fatal(err)
	}
	results, err := os.ReadFile("results.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(page)) {
		if share.MatchString(strings.TrimSpace(line)) {
			rows++
			if !strings.Contains(string(results), "\n"+line) {
				t.Errorf("this is no row of results.md: %s", line)
			}
		}
	}
	if rows < 5 {
		t.Errorf("only %d rows were found", rows)
	}
}
