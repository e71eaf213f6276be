package storetest

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// A Store keeps sessions in memory, for as many pools as there are. The zero value is empty.
type Store struct {
	mu         sync.Mutex
	fault      Fault
	pools      map[string]*pool
	generation int
	requests   map[string]int
}

// A Fault is called before each request with the name of its method. The request fails with the error that it returns.
type Fault func(ctx context.Context, method string) error

// SetFault has a Fault called from now on, or none if it is nil.
func (s *Store) SetFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

type pool struct {
	sessions  map[netip.Addr]*record
	nodes     map[string]noted
	settings  map[string]string
	listeners map[chan message]string // by the node
}

type record struct {
	target  string
	holders []string
	expires time.Time
}

type noted struct {
	stores.Node
	at time.Time
}

type message struct {
	stores.News
	from string
}

// ErrMissed is why Listen ends after Disconnect.
var ErrMissed = errors.New("the connection is lost")

// begin counts a request, and returns the pool with the lock held.
func (s *Store) begin(ctx context.Context, method, name string) (*pool, error) {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		if err := fault(ctx, method); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.requests == nil {
		s.requests = make(map[string]int)
	}
	s.requests[method]++
	return s.unsyncedPool(name), nil
}

func (s *Store) unsyncedPool(name string) *pool {
	if s.pools == nil {
		s.pools = make(map[string]*pool)
	}
	p := s.pools[name]
	if p == nil {
		p = &pool{make(map[netip.Addr]*record), make(map[string]noted), make(map[string]string), make(map[chan message]string)}
		s.pools[name] = p
	}
	return p
}

// Requests returns how often a method was called.
func (s *Store) Requests(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[method]
}

// Flush forgets all that is kept.
func (s *Store) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	for _, p := range s.pools {
		clear(p.sessions)
		clear(p.nodes)
		clear(p.settings)
	}
}

// Disconnect ends all listeners.
func (s *Store) Disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pools {
		for ch := range p.listeners {
			close(ch)
		}
		clear(p.listeners)
	}
}

// Session returns the target of a client's session, the nodes at which it is live, and when it expires.
func (s *Store) Session(name string, client netip.Addr) (target string, holders []string, left time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.unsyncedPool(name).session(client)
	if r == nil {
		return "", nil, 0
	}
	return r.target, slices.Clone(r.holders), time.Until(r.expires)
}

// Put keeps a session, as another node would do.
func (s *Store) Put(name string, client netip.Addr, target string, ttl time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsyncedPool(name).sessions[client] = &record{target: target, expires: time.Now().Add(ttl)}
}

// Update does what stores.Store says.
func (s *Store) Update(ctx context.Context, name, node string, updates []stores.Update) error {
	p, err := s.begin(ctx, "Update", name)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	for i := range updates {
		p.update(node, &updates[i])
	}
	return nil
}

// session returns the session of a client that is not expired, or nil.
func (p *pool) session(client netip.Addr) *record {
	r := p.sessions[client]
	if r != nil && !time.Now().Before(r.expires) {
		delete(p.sessions, client)
		return nil
	}
	return r
}

func (p *pool) update(node string, u *stores.Update) {
	r := p.session(u.Client)
	u.Known = r != nil
	switch {
	case r == nil:
		r = &record{target: u.Target}
	case r.target == u.Target:
	case u.Any || u.Replaces == r.target:
		r.target = u.Target
		p.tell(message{stores.News{Client: u.Client, Target: u.Target}, node})
	}
	if u.Kept = r.target; u.Kept == "" {
		delete(p.sessions, u.Client)
		return
	}
	p.sessions[u.Client] = r
	r.keep(node, u)
}

// keep notes at which nodes a session is live, and for how long it is kept.
func (r *record) keep(node string, u *stores.Update) {
	held := slices.Contains(r.holders, node)
	r.holders = slices.DeleteFunc(r.holders, func(n string) bool { return n == node })
	if u.Live {
		r.holders = append(r.holders, node)
	}
	expires := time.Now().Add(u.TTL)
	last := held && len(r.holders) == 0
	if last || expires.After(r.expires) && (u.Live || len(r.holders) == 0) {
		r.expires = expires
	}
}

// Meet does what stores.Store says.
func (s *Store) Meet(ctx context.Context, name string, n stores.Node) (m stores.Meeting, err error) {
	p, err := s.begin(ctx, "Meet", name)
	if err != nil {
		return m, err
	}
	defer s.mu.Unlock()
	p.nodes[n.ID] = noted{n, time.Now()}
	if n.Leaving {
		delete(p.nodes, n.ID)
	}
	m = stores.Meeting{Settings: make(map[string]string), Generation: time.Duration(s.generation).String()}
	for id, other := range p.nodes {
		if other.Seen = time.Since(other.at); other.Seen > 3*other.Interval {
			delete(p.nodes, id)
			continue
		}
		m.Nodes = append(m.Nodes, other.Node)
	}
	for target, setting := range p.settings {
		m.Settings[target] = setting
	}
	return m, nil
}

// Set does what stores.Store says.
func (s *Store) Set(ctx context.Context, name, node, target, setting string, missing bool) error {
	p, err := s.begin(ctx, "Set", name)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if _, present := p.settings[target]; present && missing {
		return nil
	}
	p.settings[target] = setting
	p.tell(message{stores.News{Target: target, Setting: setting}, node})
	return nil
}

// tell has all listeners hear news. Those that are far behind miss it.
func (p *pool) tell(m message) {
	for ch := range p.listeners {
		select {
		case ch <- m:
		default:
			close(ch)
			delete(p.listeners, ch)
		}
	}
}

// Listen does what stores.Store says.
func (s *Store) Listen(ctx context.Context, name, node string, hear func(stores.News)) error {
	p, err := s.begin(ctx, "Listen", name)
	if err != nil {
		return err
	}
	ch := make(chan message, 1024)
	p.listeners[ch] = node
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(p.listeners, ch)
	}()
	hear(stores.News{})
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case m, open := <-ch:
			if !open {
				return ErrMissed
			}
			if m.from != node {
				hear(m.News)
			}
		}
	}
}

var _ stores.Store = (*Store)(nil)
