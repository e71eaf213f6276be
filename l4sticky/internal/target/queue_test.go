package target

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A waiterFunc is a waiter.
type waiterFunc func()

func (f waiterFunc) Wake() { f() }

func isActive(m *Member) bool { return m.Active() }

// full returns targets with room for one connection each, which they have.
func full(n int) (*Registry, []*Member) {
	list := ones(n)
	for i := range list {
		list[i].MaxConnections = 1
	}
	r := NewRegistry(stopped)
	set := NewSet(r, Rendezvous, 0, list)
	for _, m := range set.Members() {
		m.Claim(1)
	}
	return r, set.Members()
}

// TestFirstComeFirstServed has connections wait for two targets, and one of them go.
func TestFirstComeFirstServed(t *testing.T) {
	_, m := full(2)
	var woken []string
	wait := func(name string, members ...*Member) *Ticket {
		return Queue(members, 0, isActive, waiterFunc(func() { woken = append(woken, name) }))
	}
	a, b, c, d := wait("a", m[0]), wait("b", m[0], m[1]), wait("c", m[0], m[1]), wait("d", m[1])
	if a.Granted() != nil || !m[0].Full() || !m[1].Full() {
		t.Fatal("there is room")
	}
	m[0].Release()
	m[1].Release()
	if !slices.Equal(woken, []string{"a", "b"}) || a.Granted() != m[0] || b.Granted() != m[1] {
		t.Fatalf("woken are %v", woken)
	}
	a.Leave()
	b.Leave()
	c.Leave()
	m[0].Release()
	if m[0].Connections() != 0 || m[0].Full() {
		t.Errorf("%d connections, full: %v", m[0].Connections(), m[0].Full())
	}
	m[1].Release()
	if d.Granted() != m[1] || len(woken) != 3 {
		t.Errorf("woken are %v", woken)
	}
}

// TestRoomGoesOn gives the room on that a connection got which has gone.
func TestRoomGoesOn(t *testing.T) {
	_, m := full(1)
	a, b := Queue(m, 0, isActive, waiterFunc(func() {})), Queue(m, 0, isActive, waiterFunc(func() {}))
	m[0].Release()
	a.Leave()
	if b.Granted() != m[0] || m[0].Connections() != 1 {
		t.Errorf("%d connections", m[0].Connections())
	}
	b.Leave()
	b.Leave()
	if m[0].Connections() != 1 {
		t.Error("a claim that was taken is given back")
	}
}

// TestWaitEnds wakes those that wait for a target which gets no connections any more, or more than before.
func TestWaitEnds(t *testing.T) {
	for name, c := range map[string]struct {
		change          func(r *Registry, m *Member)
		granted, active bool
	}{
		"deactivated": {change: func(_ *Registry, m *Member) { m.Deactivate(time.Hour) }},
		"on request":  {change: func(_ *Registry, m *Member) { m.DeactivateAsked(time.Hour) }},
		"mute":        {change: func(_ *Registry, m *Member) { m.DeactivateMute(time.Hour) }},
		"down":        {change: func(_ *Registry, m *Member) { m.Checked(false, 0, Rules{Rise: 1, Fall: 1}) }},
		"maintenance": {change: func(r *Registry, m *Member) { r.Control(m.Target, Operator, Control{Mode: Maintenance}) }},
		"drain":       {change: func(r *Registry, m *Member) { r.Control(m.Target, Operator, Control{Mode: Drain}) }, active: true},
		"more room": {
			change:  func(r *Registry, m *Member) { r.Control(m.Target, Operator, Control{MaxConnections: number(2)}) },
			granted: true, active: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := full(1)
			woken := 0
			ticket := Queue(m, 0, isActive, waiterFunc(func() { woken++ }))
			c.change(r, m[0])
			if woken != 1 || (ticket.Granted() != nil) != c.granted || ticket.Fits() != c.active {
				t.Errorf("woken %d times, active: %v", woken, ticket.Fits())
			}
			ticket.Leave()
		})
	}
}

// TestQueueUnderLoad has many connections come, wait, go early and be done. No more than the limit are ever at a target, none is
// forgotten, and all claims are given back.
func TestQueueUnderLoad(t *testing.T) {
	const connections, limit = 2000, 3
	list := ones(3)
	for i := range list {
		list[i].MaxConnections = limit
	}
	members := NewSet(NewRegistry(stopped), Rendezvous, 0, list).Members()
	var done sync.WaitGroup
	var served, left atomic.Int64
	for n := range connections {
		done.Go(func() {
			wake := make(chan struct{}, 1)
			ticket := Queue(members[n%2:n%2+2], 0, isActive, waiterFunc(func() {
				select {
				case wake <- struct{}{}:
				default:
				}
			}))
			defer ticket.Leave()
			if n%5 == 0 {
				left.Add(1)
				return
			}
			<-wake
			m := ticket.Granted()
			if m == nil || m.Connections() > limit {
				t.Errorf("granted %v", m)
				return
			}
			served.Add(1)
			m.Release()
		})
	}
	done.Wait()
	for _, m := range members {
		if m.Connections() != 0 || m.queue.length.Load() != 0 || m.Full() {
			t.Errorf("%v has %d connections, and %d wait", m.Address, m.Connections(), m.queue.length.Load())
		}
	}
	if served.Load()+left.Load() != connections {
		t.Errorf("%d served and %d left of %d", served.Load(), left.Load(), connections)
	}
}

// TestNoRoomWhereItDoesNotFit has a connection wait for two targets, one of which does not fit any more. It keeps its place in the
// other's queue.
func TestNoRoomWhereItDoesNotFit(t *testing.T) {
	_, m := full(2)
	wake := waiterFunc(func() {})
	a, b := Queue(m, 0, isActive, wake), Queue(m[1:], 0, isActive, wake)
	m[0].Deactivate(time.Hour)
	m[0].Release()
	if got := a.Granted(); got != nil || !a.Fits() || m[0].Connections() != 0 {
		t.Fatalf("it has room at %v, which is deactivated", got)
	}
	m[1].Release()
	if a.Granted() != m[1] || b.Granted() != nil {
		t.Error("it has lost its place at the other target")
	}
	m[1].Deactivate(time.Hour)
	m[1].Release()
	if b.Granted() != nil || b.Fits() || m[1].queue.length.Load() != 0 {
		t.Error("it waits for a target that does not fit")
	}
}

// TestRemovedTargetWakes wakes those that wait for a target which is not in the set any more.
func TestRemovedTargetWakes(t *testing.T) {
	r := NewRegistry(stopped)
	list := ones(2)
	for i := range list {
		list[i].MaxConnections = 1
	}
	set := NewSet(r, Rendezvous, 0, list)
	m := set.Members()[0]
	m.Claim(1)
	woken := 0
	ticket := Queue([]*Member{m}, 0, func(m *Member) bool { return set.Member(m.Target) != nil }, waiterFunc(func() { woken++ }))
	set.Update(list)
	if woken != 0 {
		t.Error("it is woken although the target stays")
	}
	set.Update(list[1:])
	if woken != 1 || ticket.Fits() {
		t.Errorf("woken %d times", woken)
	}
	ticket.Leave()
}

// TestSeniority has a connection come to a queue that has waited elsewhere for longer than another one there.
func TestSeniority(t *testing.T) {
	_, m := full(1)
	quiet := waiterFunc(func() {})
	late, early, same := Queue(m, 2, isActive, quiet), Queue(m, 1, isActive, quiet), Queue(m, 1, isActive, quiet)
	for i, ticket := range []*Ticket{early, same, late} {
		m[0].Release()
		if ticket.Granted() != m[0] {
			t.Fatalf("the turn %d is another one's", i)
		}
	}
}
