package share

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

const (
	// maxClaims is how many clients are asked for in one request, so that none waits long for the others.
	maxClaims = 128
	// maxAsking is how many requests for clients are under way at a time.
	maxAsking = 32
	// askPace is the time between two requests that could be larger. If all began at the same time, the clients that come a bit later would
	// have to wait for two in a row.
	askPace = time.Millisecond
	// maxWaiting is how many clients wait at most. The store is not asked for more.
	maxWaiting = 8192
)

// A LookupResult is what came of a client that the store was to be asked for.
type LookupResult int

const (
	// Found means that another node, or this one before, has placed the client.
	Found LookupResult = iota
	// Claimed means that this node was the first one to place the client.
	Claimed
	// Late means that the store did not answer in time.
	Late
	// Refused means that the store has answered with an error.
	Refused
	// Skipped means that the store was not asked, since it fails or has too much to do.
	Skipped

	lookupResults
)

var lookupNames = [lookupResults]string{"found", "claimed", "late", "error", "skipped"}

// String returns the result's name for metrics.
func (r LookupResult) String() string { return lookupNames[r] }

// LookupResults returns all that there are.
func LookupResults() []LookupResult { return []LookupResult{Found, Claimed, Late, Refused, Skipped} }

// A claim is a client that is new here, and its target if the store knows none.
type claim struct {
	client netip.Addr
	target string
	answer func(target string, known bool)
	timer  *time.Timer
	over   atomic.Bool
}

// end answers a claim, unless it has an answer.
func (s *Sharer) end(c *claim, r LookupResult, target string) {
	if !c.over.CompareAndSwap(false, true) {
		return
	}
	s.counts.Lookups[r].Add(1)
	c.answer(target, r == Found)
}

// Ask has answer called with the target of a client that has no session here: the one in the store, which is known then, or else the given
// one, which the store notes. If it does not answer in time, answer is called with none. It may be called at once, and is called once.
func (s *Sharer) Ask(client netip.Addr, target string, answer func(target string, known bool)) {
	if !s.working.Load() || s.closed.Load() || s.isReplaced(client) {
		s.counts.Lookups[Skipped].Add(1)
		answer("", false)
		return
	}
	c := &claim{client: client, target: target, answer: answer}
	a := &s.asking
	a.Lock()
	full := len(a.claims) >= maxWaiting
	if !full {
		c.timer = time.AfterFunc(time.Duration(s.timeout.Load()), safely.Func("session store", func() { s.end(c, Late, "") }))
		a.claims = append(a.claims, c)
		s.unsyncedBeginAsking()
	}
	a.Unlock()
	if full {
		s.counts.Lookups[Skipped].Add(1)
		answer("", false)
	}
}

// unsyncedBeginAsking begins to ask for the clients that wait, as far as that may be done now. The lock must be held.
func (s *Sharer) unsyncedBeginAsking() {
	a := &s.asking
	for len(a.claims) > 0 && a.requests < maxAsking && !a.paced {
		now := time.Now()
		if wait := askPace - now.Sub(a.last); wait > 0 && len(a.claims) < maxClaims {
			a.paced = true
			time.AfterFunc(wait, safely.Func("session store", func() { s.beginAsking(func() { a.paced = false }) }))
			return
		}
		n := min(len(a.claims), maxClaims)
		batch := a.claims[:n:n]
		if a.claims = a.claims[n:]; len(a.claims) == 0 {
			a.claims = nil
		}
		a.requests++
		a.last = now
		go safely.Do("session store", func() {
			defer s.beginAsking(func() { a.requests-- })
			s.ask(batch)
		})
	}
}

// beginAsking notes what has happened, and asks for the clients that wait.
func (s *Sharer) beginAsking(note func()) {
	s.asking.Lock()
	defer s.asking.Unlock()
	note()
	s.unsyncedBeginAsking()
}

// ask asks for some clients, and answers. What the store is not known to have done is told again by what is pending.
func (s *Sharer) ask(batch []*claim) {
	updates, ttl := make([]stores.Update, 0, len(batch)), Session{Live: true, Left: s.local.Expiry()}.ttl()
	left := batch[:0]
	for _, c := range batch {
		if !c.over.Load() {
			left = append(left, c)
			updates = append(updates, stores.Update{Client: c.client, Target: c.target, Live: true, TTL: ttl})
		}
	}
	if len(left) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(s.timeout.Load()))
	defer cancel()
	err := s.callWithin(ctx, func(ctx context.Context, store stores.Store) error {
		return store.Update(ctx, s.pool, s.node, updates)
	})
	if err != nil && ctx.Err() == nil {
		s.behind.Store(true)
	}
	for i, c := range left {
		c.timer.Stop()
		u := &updates[i]
		switch {
		case u.Kept == "" && ctx.Err() != nil:
			s.end(c, Late, "")
		case u.Kept == "":
			s.end(c, Refused, "")
		case u.Known:
			s.end(c, Found, u.Kept)
		default:
			s.end(c, Claimed, u.Kept)
		}
		s.settle(c, u.Kept)
	}
}

// settle has the store learn what it was told wrongly: the client may have left meanwhile, or may have been placed without it.
func (s *Sharer) settle(c *claim, kept string) {
	if now, present := s.local.Session(c.client); !present || now.Target != kept {
		s.note(c.client, change{})
	}
}
