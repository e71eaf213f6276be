package share

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores/storetest"
)

const (
	expiry  = 30 * time.Second
	timeout = 20 * time.Millisecond
	pool    = "game"
)

func addr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)})
}

// A node is one with a real table, whose targets are strings. It places all new clients at its own home, so that nodes disagree.
type node struct {
	*Sharer
	table    *session.Table[string]
	home     string
	unknown  string // a target that the node does not have
	expiry   time.Duration
	clock    func() time.Duration
	mu       sync.Mutex
	settings map[string]string
	within   time.Duration // of the last setting
	failures []error
}

func newNode(t testing.TB, id, home string) *node {
	began := time.Now()
	n := &node{home: home, expiry: expiry, clock: func() time.Duration { return time.Since(began) }, settings: make(map[string]string)}
	n.Sharer = New(pool, id, "host-"+id, n, new(Counts))
	n.table = session.NewWithHooks(n.clock, expiry, 1<<21, session.Hooks[string]{
		Note: func(e session.Event[string]) {
			switch e.Kind {
			case session.Placed, session.Idle, session.Resumed:
				n.Note(e.Client)
			case session.Moved:
				n.NoteMoved(e.Client, e.Previous)
			case session.Forgotten:
				n.NoteForgotten(e.Client)
			}
		},
		Lookup: func(client netip.Addr, answer func(string, bool)) {
			n.Ask(client, n.home, answer)
		},
	})
	return n
}

// start has the node use a store until the test ends.
func (n *node) start(t testing.TB, store *storetest.Store) {
	t.Helper()
	if err := <-n.Use(store, timeout); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.end)
}

func (n *node) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n.Close(ctx)
}

func (n *node) Session(client netip.Addr) (Session, bool) {
	i, present := n.table.Peek(client)
	return n.state(i), present && i.Target != ""
}

func (n *node) state(i session.Info[string]) Session {
	s := Session{Target: i.Target, Live: i.Live(), Left: n.expiry}
	if !s.Live {
		s.Left -= n.clock() - i.IdleSince
	}
	return s
}

func (n *node) Scan(part int, do func(netip.Addr, Session)) {
	n.table.Scan(part, func(i session.Info[string]) { do(i.Client, n.state(i)) })
}

func (n *node) Follow(client netip.Addr, target string) bool {
	if target != "" && target == n.unknown {
		return false
	}
	n.table.Follow(client, target)
	return true
}

func (n *node) Setting(target, setting string, within time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.settings[target], n.within = setting, within
}

func (n *node) Expiry() time.Duration { return n.expiry }

func (n *node) Connections() int { return n.table.Len() }

func (n *node) Deaf(err error) { n.Failed(err) }

func (n *node) Failed(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failures = append(n.failures, err)
}

// A visit is a connection of a client.
type visit struct {
	*session.Session[string]
	node   *node
	target string
	known  bool
	waited time.Duration
}

type wakes chan struct{}

func (w wakes) Wake() { w <- struct{}{} }

// connect has a client come to the node, and returns when it has a target.
func (n *node) connect(client netip.Addr) visit {
	s, began := n.table.Acquire(client), time.Now()
	for woken := make(wakes, 1); n.table.Await(s, woken); {
		<-woken
	}
	v := visit{Session: s, node: n, waited: time.Since(began)}
	_, v.known = n.table.Look(s)
	v.target = n.table.Settle(s, func(string) bool { return true }, func() string { return n.home })
	n.table.Reach(s, v.target)
	return v
}

// move has the client go elsewhere, as if its target had failed.
func (v visit) move(target string) {
	v.node.table.Settle(v.Session, func(string) bool { return false }, func() string { return target })
}

func (v visit) close() { v.node.table.Release(v.Session) }

// visit is a connection that is over.
func (n *node) visit(client netip.Addr) string {
	v := n.connect(client)
	v.close()
	return v.target
}

// bubble runs a test with a clock of its own.
func bubble(t *testing.T, f func(*testing.T, *storetest.Store)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, new(storetest.Store)) })
}

// settle waits until the store knows what has changed.
func settle() {
	time.Sleep(2 * FlushInterval)
	synctest.Wait()
}

func mustBe(t testing.TB, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		t.Errorf("%s: %s, want %s", what, g, w)
	}
}

// mustHold fails if the store does not have a session so.
func mustHold(t testing.TB, store *storetest.Store, client netip.Addr, target string, holders []string, left time.Duration) {
	t.Helper()
	gotTarget, gotHolders, gotLeft := store.Session(pool, client)
	slices.Sort(gotHolders)
	mustBe(t, "the session in the store", fmt.Sprint(gotTarget, gotHolders), fmt.Sprint(target, holders))
	spread := time.Second
	if len(holders) > 0 {
		spread = RenewInterval + FlushInterval
	}
	if gotLeft > left || gotLeft < left-spread {
		t.Errorf("it expires in %v, want %v", gotLeft, left)
	}
}

// told returns the failures that the node was told of.
func (n *node) told() []error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.failures)
}

// set returns what the node was told that others have set.
func (n *node) set() map[string]string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.settings)
}
