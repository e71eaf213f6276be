package l4sticky

import (
	"context"
	"crypto/rand"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/share"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

const (
	// storeWait is how long the load of a config waits for stores that are new, so that the first clients find them.
	storeWait = time.Second
	// storeGoodbye is how long a pool that ends has to tell the store.
	storeGoodbye = time.Second
)

// node is what tells this process from others that use the same store.
var node = struct{ id, host string }{strings.ToLower(rand.Text()[:6]), machineName()}

func machineName() string {
	host, err := os.Hostname()
	if err != nil {
		return ""
	}
	return host
}

// A sharing is how a pool shares its sessions by a store.
type sharing struct {
	*share.Sharer
	store *openStore // guarded by the pool's lock
	met   <-chan error
}

// partings are the sharings that tell their stores that they end.
var partings sync.WaitGroup

// unsyncedShare has the pool share its sessions as a config wants it. The lock must be held.
func (p *pool) unsyncedShare(c *poolConfig) {
	s, timeout := p.sharing.Load(), time.Duration(c.settings.options.StoreTimeout)
	if s != nil && (c.store == nil || s.store.key != c.store.key) {
		p.unsyncedPart()
		s = nil
	}
	switch {
	case c.store == nil:
	case s != nil:
		before := s.store
		s.store = c.store.use()
		s.Use(s.store, timeout)
		before.release()
	default:
		s = &sharing{Sharer: share.New(p.name, node.id, node.host, localSessions{p}, &p.counts.store), store: c.store.use()}
		for _, m := range c.targets.Members() {
			if text := p.overrideText(m.Target); text != "" {
				s.Know(m.Address.String(), text)
			}
		}
		s.met = s.Use(s.store, timeout)
		p.sharing.Store(s)
	}
}

// unsyncedPart ends the sharing, if there is one, in the background. The lock must be held.
func (p *pool) unsyncedPart() {
	s := p.sharing.Swap(nil)
	if s == nil {
		return
	}
	store, told := s.store, make(chan struct{})
	p.told = told
	partings.Go(safely.Func("session store", func() {
		defer close(told)
		defer store.release()
		ctx, cancel := context.WithTimeout(context.Background(), storeGoodbye)
		defer cancel()
		s.Close(ctx)
	}))
}

// part ends the sharing, if there is one, in the background. A pool that ends parts before it forgets its sessions, so that the store does not.
func (p *pool) part() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unsyncedPart()
}

// storeWaits is for how long the load of the last config may still wait for its stores, of which each pool may have one.
var storeWaits struct {
	sync.Mutex
	config *prometheus.Registry
	left   time.Duration
}

// awaitStore waits a moment for a store that is new.
func (p *pool) awaitStore(config *prometheus.Registry) {
	s := p.sharing.Load()
	if s == nil {
		return
	}
	w := &storeWaits
	w.Lock()
	defer w.Unlock()
	if w.config != config {
		w.config, w.left = config, storeWait
	}
	began := time.Now()
	select {
	case <-s.met:
	case <-time.After(w.left):
	}
	w.left -= time.Since(began)
}

// noteShared has the other nodes know of what has happened to a session. The session's client is locked meanwhile.
func (s *sharing) noteShared(e session.Event[*target.Target]) {
	switch e.Kind {
	case session.Placed, session.Restored, session.Idle, session.Resumed:
		s.Note(e.Client)
	case session.Moved:
		s.NoteMoved(e.Client, e.Previous.Address.String())
	case session.Forgotten:
		s.NoteForgotten(e.Client)
	}
}

// lookUp finds the session of a client that is new here among those of the other nodes. If there is none, the client gets the target at which
// this node would place it.
func (p *pool) lookUp(client netip.Addr, answer func(*target.Target, bool)) {
	s, c := p.sharing.Load(), p.applied.Load()
	if s == nil || c == nil {
		answer(nil, false)
		return
	}
	m := c.targets.Place(client, promising)
	if m == nil {
		m = c.targets.Place(client, anyMember)
	}
	if m == nil {
		answer(nil, false)
		return
	}
	s.Ask(client, m.Address.String(), func(name string, known bool) {
		answer(p.targetNamed(name), known)
	})
}

// promising reports whether a new client may be placed at a target.
func promising(m *target.Member) bool { return m.Active() && !m.Suspect() && !m.Full() }

// targetNamed returns the target of the applied config with an address, or nil if there is none.
func (p *pool) targetNamed(address string) *target.Target {
	c := p.applied.Load()
	if c == nil || address == "" {
		return nil
	}
	for _, m := range c.targets.Members() {
		if m.Address.String() == address {
			return m.Target
		}
	}
	return nil
}

// localSessions are the sessions of a pool as they are shared.
type localSessions struct{ *pool }

// Session returns the session of a client that has a target.
func (l localSessions) Session(client netip.Addr) (share.Session, bool) {
	info, present := l.sessions.Peek(client)
	if !present || info.Target == nil {
		return share.Session{}, false
	}
	return sharedSession(info, monotonic(), l.Expiry()), true
}

func sharedSession(i session.Info[*target.Target], now, expiry time.Duration) share.Session {
	s := share.Session{Target: i.Target.Address.String(), Live: i.Live(), Left: expiry}
	if !s.Live {
		s.Left = max(0, expiry-(now-i.IdleSince))
	}
	return s
}

// Scan calls do with all sessions of a part of the table.
func (l localSessions) Scan(part int, do func(netip.Addr, share.Session)) {
	now, expiry := monotonic(), l.Expiry()
	l.sessions.Scan(part, func(i session.Info[*target.Target]) { do(i.Client, sharedSession(i, now, expiry)) })
}

// Follow does for a client what another node has done, and reports whether there is such a target here. A pool that no config has any more does
// not know that.
func (l localSessions) Follow(client netip.Addr, address string) bool {
	t := l.targetNamed(address)
	if t == nil && address != "" {
		return l.applied.Load() == nil
	}
	l.sessions.Follow(client, t)
	return true
}

// Expiry is how long a session lives without connections, also after the last config that had the pool.
func (l localSessions) Expiry() time.Duration { return l.sessions.Expiry() }

// Connections returns how many connections the pool has.
func (l localSessions) Connections() int { return int(l.open.Load()) }

// Failed tells that the store is not used any more, or is used again.
func (l localSessions) Failed(err error) { l.tellStore(err, storeFailed, storeWorks) }

// Deaf tells that what other nodes do is not heard, or is heard again.
func (l localSessions) Deaf(err error) { l.tellStore(err, storeUnheard, storeHeard) }

func (l localSessions) tellStore(err error, bad, good *change) {
	switch {
	case !l.storeLines.Admit():
	case err == nil:
		l.tell(good)
	default:
		l.tell(bad, zap.Error(err))
	}
}
