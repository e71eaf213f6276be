package target

import (
	"slices"
	"testing"
	"time"
)

func number(n int) *int { return &n }

// TestControl sets what an operator and an agent want, and looks who gets new clients and connections.
func TestControl(t *testing.T) {
	for _, c := range []struct {
		name            string
		operator, agent Control
		mode            Mode
		weight, limit   int
		placed, active  bool
	}{
		{name: "nothing", mode: Serve, weight: 10, limit: 5, placed: true, active: true},
		{name: "drain", operator: Control{Mode: Drain}, mode: Drain, weight: 10, limit: 5, active: true},
		{name: "agent drains", agent: Control{Mode: Drain}, mode: Drain, weight: 10, limit: 5, active: true},
		{name: "maintenance", operator: Control{Mode: Maintenance}, agent: Control{Mode: Drain}, mode: Maintenance, weight: 10, limit: 5},
		{name: "agent is stricter", operator: Control{Mode: Drain}, agent: Control{Mode: Maintenance}, mode: Maintenance, weight: 10, limit: 5},
		{name: "weight", operator: Control{Weight: number(3)}, agent: Control{Percent: number(50)}, weight: 3, limit: 5, placed: true, active: true},
		{name: "weight 0", operator: Control{Weight: number(0)}, weight: 0, limit: 5, active: true},
		{name: "percent", agent: Control{Percent: number(25)}, weight: 3, limit: 5, placed: true, active: true},
		{name: "percent 0", agent: Control{Percent: number(0)}, weight: 0, limit: 5, active: true},
		{name: "percent above", agent: Control{Percent: number(MaxWeight * 100)}, weight: MaxWeight, limit: 5, placed: true, active: true},
		{name: "limit", operator: Control{MaxConnections: number(7)}, agent: Control{MaxConnections: number(2)}, weight: 10, limit: 7, placed: true, active: true},
		{name: "agent's limit", agent: Control{MaxConnections: number(2)}, weight: 10, limit: 2, placed: true, active: true},
		{name: "no limit", operator: Control{MaxConnections: number(0)}, weight: 10, limit: 0, placed: true, active: true},
	} {
		for _, placement := range placements {
			t.Run(c.name+", "+placement.Name, func(t *testing.T) {
				list := configs(10)
				list[0].MaxConnections = 5
				r := NewRegistry(stopped)
				set := NewSet(r, placement, 0, list)
				m := set.Members()[0]
				r.Control(m.Target, Operator, c.operator)
				r.Control(m.Target, Agent, c.agent)
				later := NewSet(r, placement, 0, list) // as after a reload
				for _, s := range []*Set{set, later} {
					m := s.Member(m.Target)
					placed := s.Place(clients("10.1.0.1", 1)[0], always) != nil
					if m.Mode() != c.mode || m.Weight() != c.weight || m.MaxConnections() != c.limit || placed != c.placed || m.Active() != c.active || m.Drains() == c.placed {
						t.Errorf("mode %d, weight %d, limit %d, placed %v, active %v, drains %v", m.Mode(), m.Weight(), m.MaxConnections(), placed, m.Active(), m.Drains())
					}
				}
				r.Control(m.Target, Operator, Control{})
				r.Control(m.Target, Agent, Control{})
				if !m.Active() || set.Place(clients("10.1.0.1", 1)[0], always) == nil || m.Weight() != 10 || m.MaxConnections() != 5 {
					t.Error("it does not end")
				}
			})
		}
	}
}

// TestControlOutlivesSets keeps what an operator has set while no config has the target.
func TestControlOutlivesSets(t *testing.T) {
	r := NewRegistry(stopped)
	set := NewSet(r, Rendezvous, 0, ones(2))
	operated, reported := set.Members()[0], set.Members()[1]
	r.Control(operated.Target, Operator, Control{Mode: Maintenance})
	r.Control(reported.Target, Agent, Control{Mode: Maintenance})
	set.Close()
	again := NewSet(r, Rendezvous, 0, ones(2))
	if again.Members()[0].Mode() != Maintenance {
		t.Error("what the operator has set is forgotten")
	}
	if again.Members()[1].Mode() != Serve {
		t.Error("what an agent has reported is kept for a target that is new")
	}
}

// TestSlowStart gives a target that returns its share gradually.
func TestSlowStart(t *testing.T) {
	const slow = 100 * time.Second
	crowd := clients("10.1.0.1", 10000)
	for name, returns := range map[string]func(r *Registry, m *Member, pass func(time.Duration)){
		"accepts again": func(_ *Registry, m *Member, pass func(time.Duration)) {
			m.Deactivate(time.Hour)
			pass(time.Minute)
			m.Activate()
		},
		"time is over": func(_ *Registry, m *Member, pass func(time.Duration)) {
			m.Deactivate(time.Minute)
			pass(time.Minute)
		},
		"checks pass": func(_ *Registry, m *Member, pass func(time.Duration)) {
			m.Checked(false, 0, Rules{Rise: 1, Fall: 1})
			pass(time.Minute)
			m.Checked(true, m.now(), Rules{Rise: 1, Fall: 1})
		},
		"maintenance is over": func(r *Registry, m *Member, pass func(time.Duration)) {
			r.Control(m.Target, Operator, Control{Mode: Maintenance})
			pass(time.Minute)
			r.Control(m.Target, Operator, Control{})
		},
	} {
		for _, placement := range []*Placement{Rendezvous, Random} {
			t.Run(name+", "+placement.Name, func(t *testing.T) {
				now := time.Hour
				r := NewRegistry(func() time.Duration { return now })
				set := NewSet(r, placement, slow, ones(2))
				m := set.Members()[0]
				share := func() float64 { return float64(count(set, crowd)[m.Address.Dial]) / float64(len(crowd)) }
				mustBe(t, "at first", share(), 0.5)
				returns(r, m, func(d time.Duration) { now += d })
				mustBe(t, "at once", share(), leastShare)
				now += slow / 4
				mustBe(t, "after a quarter", share(), 0.2)
				if m.Activate(); name == "time is over" {
					mustBe(t, "after it has accepted", share(), 0.2)
				}
				now += slow * 3 / 4
				mustBe(t, "at the end", share(), 0.5)
			})
		}
	}
}

func mustBe(t *testing.T, when string, share, want float64) {
	t.Helper()
	if share < want-0.02 || share > want+0.02 {
		t.Errorf("%s the target gets %.3f of the clients, want %.3f", when, share, want)
	}
}

// TestSlowStartOfAdded is for a target that appears beside others, by a new config or in the same one, and not for those of the first.
func TestSlowStartOfAdded(t *testing.T) {
	const slow = 100 * time.Second
	crowd := clients("10.1.0.1", 10000)
	now := time.Duration(0)
	r := NewRegistry(func() time.Duration { return now })
	share := func(s *Set, i int) float64 {
		return float64(count(s, crowd)[ones(i + 1)[i].Address.Dial]) / float64(len(crowd))
	}
	first := NewSet(r, Rendezvous, slow, ones(1))
	mustBe(t, "alone", share(first, 0), 1)
	second := NewSet(r, Rendezvous, slow, ones(2))
	mustBe(t, "in a new config", share(second, 1), leastShare)
	first.Update(ones(3)[1:])
	mustBe(t, "by an update", share(first, 2), 0.5) // of two that are new
	mustBe(t, "the one that was there", share(second, 0), 0.98)
	if even := NewSet(r, Rendezvous, 0, ones(2)); even.Place(crowd[0], always) == nil {
		t.Error("no target without a slow start")
	}
	now += slow
	mustBe(t, "at the end", share(second, 1), 0.5)
}

// TestControlLeavesOlderListsAlone brings a rank of backups back while clients are placed.
func TestControlLeavesOlderListsAlone(t *testing.T) {
	list := ones(4)
	for i := range list {
		list[i].Backup = i
	}
	r := NewRegistry(stopped)
	first := NewSet(r, Rendezvous, 0, list)
	r.Control(first.Members()[1].Target, Operator, Control{Mode: Drain})
	set := NewSet(r, Rendezvous, 0, list) // as after a reload
	before := set.list.Load()
	ranks := slices.Clone(before.backups[:cap(before.backups)])
	r.Control(first.Members()[1].Target, Operator, Control{})
	if got := before.backups[:cap(before.backups)]; !slices.Equal(got, ranks) {
		t.Errorf("a list that clients may be placed by was %v and has become %v", ranks, got)
	}
	if got := set.list.Load().backups; !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("the ranks are %v", got)
	}
	r.Control(first.Members()[1].Target, Operator, Control{Mode: Drain})
	if got := set.list.Load().backups; !slices.Equal(got, []int{0, 2, 3}) {
		t.Errorf("a rank without a target is among %v", got)
	}
}
