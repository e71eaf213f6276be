package redis

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

func meet(t testing.TB, store *Store, node stores.Node) stores.Meeting {
	t.Helper()
	m, err := store.Meet(t.Context(), "default", node)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(m.Nodes, func(a, b stores.Node) int { return strings.Compare(a.ID, b.ID) })
	return m
}

func ids(m stores.Meeting) string {
	var all []string
	for _, n := range m.Nodes {
		all = append(all, n.ID)
	}
	return strings.Join(all, " ")
}

// Nodes see each other until they leave, or are not noted for three intervals.
func TestMeet(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	n1 := stores.Node{ID: "n1", Host: "lb 1", Connections: 7, Interval: time.Hour}
	if m := meet(t, store, n1); len(m.Nodes) != 1 || m.Generation == "" || len(m.Settings) != 0 || m.Nodes[0] != n1 {
		t.Errorf("%+v", m)
	}
	m := meet(t, store, stores.Node{ID: "n2", Host: "", Interval: 50 * time.Millisecond})
	if ids(m) != "n1 n2" || m.Nodes[0].Host != "lb 1" || m.Nodes[0].Connections != 7 || m.Nodes[1].Interval != 50*time.Millisecond {
		t.Errorf("%+v", m)
	}
	generation := m.Generation
	await(t, "that n2 is forgotten", func() bool { m = meet(t, store, n1); return ids(m) == "n1" })
	meet(t, store, stores.Node{ID: "n3", Interval: time.Hour})
	time.Sleep(20 * time.Millisecond)
	if m = meet(t, store, n1); ids(m) != "n1 n3" || m.Nodes[1].Seen < 20*time.Millisecond || m.Nodes[1].Seen > 10*time.Second {
		t.Errorf("%+v", m)
	}
	if m = meet(t, store, stores.Node{ID: "n3", Leaving: true}); ids(m) != "n1" || m.Generation != generation {
		t.Errorf("%+v", m)
	}
	s.cli("FLUSHALL")
	if m = meet(t, store, n1); ids(m) != "n1" || m.Generation == generation || m.Generation == "" {
		t.Errorf("%+v", m)
	}
	s.cli("HSET", "sticky:{default}:nodes", "odd", "x", "future", "99999999999999 1000 1 h")
	if m = meet(t, store, n1); ids(m) != "future n1" {
		t.Errorf("%+v", m)
	}
}

// What is of another kind than what belongs there makes room, or else no node could use the server.
func TestMeetMakesRoom(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	n1 := stores.Node{ID: "n1", Host: "lb1", Interval: time.Hour}
	generation := meet(t, store, n1).Generation
	s.cli("SET", "sticky:{default}:nodes", "x")
	if m := meet(t, store, n1); ids(m) != "n1" || m.Generation != generation {
		t.Errorf("%+v", m)
	}
	s.cli("SET", "sticky:{default}:settings", "x")
	if m := meet(t, store, n1); len(m.Settings) != 0 || m.Generation != generation {
		t.Errorf("%+v", m)
	}
	s.cli("DEL", "sticky:{default}:generation")
	s.cli("LPUSH", "sticky:{default}:generation", "x")
	if m := meet(t, store, n1); m.Generation == "" || m.Generation == generation {
		t.Errorf("%+v", m)
	}
}

// A setting is kept for a target, and one that is missing only if there is none.
func TestSet(t *testing.T) {
	t.Parallel()
	store := open(t, "", startServer(t))
	for _, step := range []struct {
		target, setting string
		missing         bool
	}{
		{targetA, "drain", true},
		{targetA, "weight 5", true},
		{targetB, "weight 5 §\n{}", false},
		{targetA, "maintenance", false},
		{targetB, "", false},
		{"unix//run/a b%20.sock", "x", true},
	} {
		if err := store.Set(t.Context(), "default", "n1", step.target, step.setting, step.missing); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{targetA: "maintenance", targetB: "", "unix//run/a b%20.sock": "x"}
	if m := meet(t, store, stores.Node{ID: "n1", Interval: time.Hour}); !maps.Equal(m.Settings, want) {
		t.Errorf("%v", m.Settings)
	}
}
