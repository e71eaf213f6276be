package share

import (
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores/storetest"
)

var (
	modelSeed = flag.Uint64("model.seed", 0, "the first seed of TestModel")
	modelRuns = flag.Uint64("model.runs", 50, "how many runs TestModel has")
)

const (
	modelNodes   = 3
	modelClients = 12
	modelSteps   = 400
	modelExpiry  = 10 * time.Minute
)

// A model has clients come to nodes whose store misbehaves, and knows what must hold.
type model struct {
	t      *testing.T
	store  *storetest.Store
	random func(n int) int
	bad    atomic.Bool
	nodes  []*node
	ids    []string
	made   int
	visits []*modelVisit
	at     map[place]string // where clients are that have connections
	// forgotten clients are placed anew with their next connection, wherever they are live.
	forgotten map[netip.Addr]bool
}

type place struct {
	node   *node
	client netip.Addr
}

type modelVisit struct {
	visit
	client netip.Addr
}

// TestModel plays random faults, and fails with the seed unless the nodes and the store agree afterwards.
func TestModel(t *testing.T) {
	for seed := *modelSeed; seed < *modelSeed+*modelRuns; seed++ {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T, store *storetest.Store) {
				m := &model{t: t, store: store, random: randomFrom(seed), at: make(map[place]string), forgotten: make(map[netip.Addr]bool)}
				m.play()
			})
		})
	}
}

func (m *model) play() {
	for range modelNodes {
		m.add()
	}
	for range modelSteps {
		m.bad.Store(m.random(100) < 90)
		m.step()
		time.Sleep(time.Duration(m.random(300)) * time.Millisecond)
		m.checkLive()
		if m.t.Failed() {
			break
		}
	}
	m.bad.Store(false)
	m.store.SetFault(nil)
	for _, v := range slices.Clone(m.visits) {
		if m.random(3) > 0 {
			m.close(v)
		}
	}
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	m.checkLive()
	m.checkAgreement()
	for _, n := range m.nodes {
		n.end()
	}
	time.Sleep(time.Second)
	synctest.Wait()
	if stacks := goroutines(); strings.Contains(stacks, "share.(*Sharer)") {
		m.t.Errorf("goroutines are left:\n%s", stacks)
	}
}

// add has one more node.
func (m *model) add() {
	m.made++
	id := fmt.Sprint("n", m.made)
	n := newNode(m.t, id, fmt.Sprint("T", m.made%4))
	n.expiry = modelExpiry
	n.table.SetLimits(modelExpiry, 1<<20)
	n.Use(&link{Store: m.store, random: m.random, bad: m.bad.Load}, timeout)
	m.nodes, m.ids = append(m.nodes, n), append(m.ids, id)
}

// step does one thing.
func (m *model) step() {
	client, n := addr(m.random(modelClients)), m.nodes[m.random(len(m.nodes))]
	switch k := m.random(100); {
	case k < 45:
		m.connect(n, client)
	case k < 75 && len(m.visits) > 0:
		m.close(m.visits[m.random(len(m.visits))])
	case k < 85 && len(m.visits) > 0:
		v, target := m.visits[m.random(len(m.visits))], fmt.Sprint("T", m.random(4))
		if target != m.at[place{v.node, v.client}] {
			v.move(target)
			m.at[place{v.node, v.client}] = target
		}
	case k < 88:
		m.forget(n, client)
	case k < 90:
		m.end(n)
	case k < 91:
		m.store.Flush()
	case k < 93:
		m.store.Disconnect()
	case k < 94: // an outage
		m.store.SetFault(failing([]string{"Update", "Meet", "Listen"}[m.random(3)], errDown))
		time.Sleep(time.Duration(m.random(10)) * time.Second)
		m.store.SetFault(nil)
	}
}

func (m *model) connect(n *node, client netip.Addr) {
	v := &modelVisit{n.connect(client), client}
	if v.waited > timeout {
		m.t.Errorf("a client waits for %v", v.waited)
	}
	at, live := m.at[place{n, client}]
	if live && at != v.target && !m.forgotten[client] {
		m.t.Errorf("%v is live at %s and gets %s", client, at, v.target)
	}
	m.at[place{n, client}] = v.target
	m.visits = append(m.visits, v)
}

func (m *model) close(v *modelVisit) {
	v.visit.close()
	m.visits = slices.DeleteFunc(m.visits, func(other *modelVisit) bool { return other == v })
	if !slices.ContainsFunc(m.visits, func(other *modelVisit) bool { return other.node == v.node && other.client == v.client }) {
		delete(m.at, place{v.node, v.client})
	}
}

// forget has an operator forget a client that has no connections at the node.
func (m *model) forget(n *node, client netip.Addr) {
	m.forgotten[client] = true
	n.table.Forget(func(i session.Info[string]) bool { return i.Client == client && !i.Live() })
}

// end ends a node, in one way or the other, and has another one come. Its connections are closed.
func (m *model) end(n *node) {
	i := slices.Index(m.nodes, n)
	m.nodes, m.ids = slices.Delete(m.nodes, i, i+1), slices.Delete(m.ids, i, i+1)
	if m.random(2) == 0 { // it is killed
		n.closed.Store(true)
		n.cancel()
	}
	for _, v := range slices.Clone(m.visits) {
		if v.node == n {
			m.close(v)
		}
	}
	n.end()
	m.add()
}

// checkLive fails unless the clients that have connections are where they were.
func (m *model) checkLive() {
	for _, v := range m.visits {
		if target, _ := v.node.table.Look(v.Session); target != m.at[place{v.node, v.client}] && !m.forgotten[v.client] {
			m.t.Errorf("%v is live at %s and is moved to '%s'", v.client, m.at[place{v.node, v.client}], target)
		}
	}
}

// checkAgreement fails unless all know the same of each client.
func (m *model) checkAgreement() {
	for i, n := range m.nodes {
		n.pending.Lock()
		n.asking.Lock()
		if len(n.pending.changes) > 0 || n.pending.lost || len(n.asking.claims) > 0 || n.asking.requests > 0 || !n.Working() {
			m.t.Errorf("%s: pending %v, %v; claims %v, %d requests; works: %v", m.ids[i], n.pending.changes, n.pending.lost, n.asking.claims, n.asking.requests, n.Working())
		}
		n.asking.Unlock()
		n.pending.Unlock()
	}
	for c := range modelClients {
		client := addr(c)
		target, holders, _ := m.store.Session(pool, client)
		for i, n := range m.nodes {
			s, present := n.Session(client)
			if present && !s.Live && s.Target != target {
				m.t.Errorf("%v: at %s for %s, and at '%s' in the store", client, s.Target, m.ids[i], target)
			}
			if live := present && s.Live; live != slices.Contains(holders, m.ids[i]) {
				m.t.Errorf("%v: live at %s: %v, and in the store at %v, %s", client, m.ids[i], live, holders, target)
			}
		}
	}
}
