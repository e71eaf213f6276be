package share

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

const (
	// Lease is how much longer than its expiry a session with connections is kept without a renewal.
	Lease = 150 * time.Second
	// RenewInterval is how often a session with connections is renewed.
	RenewInterval = time.Minute
	// FlushInterval is how long a change waits for others before the store is told.
	FlushInterval = 100 * time.Millisecond
	// MeetInterval is how often a node says that it is there.
	MeetInterval = 5 * time.Second

	// retryInterval is how often a store is tried that fails.
	retryInterval = time.Second
	// callTimeout is how long requests may take for which no client waits.
	callTimeout = 3 * time.Second
	// maxTTL is how long a store keeps a session at most, so that a store may compute with that.
	maxTTL = 100 * 365 * 24 * time.Hour
	// tolerated is how many requests may fail, each after the other, before no client waits for the store any more.
	tolerated = 3
	// deafness is how long news may not be heard, while the store works else, before that is told: longer than it takes to notice that the
	// store does not work at all.
	deafness = MeetInterval + callTimeout + 2*time.Second
)

// A Session is what a node knows of a client.
type Session struct {
	// Target is the address of the client's target.
	Target string
	Live   bool
	// Left is the time until the session expires: of one with connections, if they were released now.
	Left time.Duration
}

// Local is the node's side.
type Local interface {
	// Session returns the session of a client that has a target.
	Session(client netip.Addr) (Session, bool)
	// Scan calls do with all sessions of one of the session.Parts. Do is quick and does not use Local.
	Scan(part int, do func(netip.Addr, Session))
	// Follow does for a client what another node has done; without a target, its session is forgotten. It reports whether the
	// node has the target.
	Follow(client netip.Addr, target string) (known bool)
	// Setting tells what an operator has set for a target at another node. It may be told again and again. If it is not what was told before, it
	// was set, or the store was told, within that time; 0 means that this is not known.
	Setting(target, setting string, within time.Duration)
	// Expiry is how long a session lives without connections.
	Expiry() time.Duration
	// Connections are how many the node has.
	Connections() int
	// Failed tells why the store is not used any more, and nil when it is used again.
	Failed(err error)
	// Deaf tells why what other nodes do is not heard, though the store is used, and nil when it is heard again.
	Deaf(err error)
}

// A Sharer shares the sessions of one pool.
type Sharer struct {
	pool, node, host string
	local            Local
	counts           *Counts

	timeout atomic.Int64
	store   atomic.Pointer[stores.Store]
	working atomic.Bool // else no client waits for the store
	behind  atomic.Bool // a request has failed, and not just because it took longer than a client waits
	closed  atomic.Bool
	urgent  chan struct{} // has a value when something pending can't wait
	retry   chan struct{} // has a value when the store is to be met sooner

	ctx    context.Context // ends when the Sharer is closed
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	faults struct {
		sync.Mutex
		row  int       // requests that have failed, each after the other
		last time.Time // when the last of them did
	}
	asking struct {
		sync.Mutex
		claims   []*claim
		requests int       // that are under way
		last     time.Time // when the last one began
		paced    bool      // the next one begins when a timer fires
	}
	pending struct {
		sync.Mutex
		changes map[netip.Addr]change
		spare   map[netip.Addr]change   // the empty memory of the one before
		ended   map[netip.Addr]struct{} // the clients whose session in the store does not count
		ending  map[netip.Addr]struct{} // of those, the ones that the store is being told
		lost    bool                    // a change was not noted; all is told again
	}
	known struct {
		sync.Mutex
		nodes      []stores.Node
		met        time.Time
		asked      time.Time // when the last meeting began
		generation string
		settings   map[string]string
		unsent     map[string]bool // of the settings, those of this node that the store has not been told
	}
	listening struct {
		sync.Mutex
		stop context.CancelFunc // ends the listener
	}
}

// Counts are what a Sharer counts.
type Counts struct {
	// Lookups are the clients that the store was to be asked for, by what came of it.
	Lookups [lookupResults]atomic.Int64
	// Updates are the sessions that the store was told, and Errors the requests that failed.
	Updates, Errors atomic.Int64
}

// New returns a Sharer for the node's sessions of a pool, which uses no store yet. What it counts is added to the counts.
func New(pool, node, host string, local Local, counts *Counts) *Sharer {
	s := &Sharer{pool: pool, node: node, host: host, local: local, counts: counts, urgent: make(chan struct{}, 1), retry: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.pending.changes = make(map[netip.Addr]change)
	s.pending.ended = make(map[netip.Addr]struct{})
	s.known.settings = make(map[string]string)
	s.known.unsent = make(map[string]bool)
	return s
}

// Use has the Sharer use a store from now on, and clients wait for it no longer than the timeout. The channel that it returns receives
// one value: what became of the first request, nil if the store works. The store is tried again in any case. A store that replaces one must
// have what that has; then the channel is nil.
func (s *Sharer) Use(store stores.Store, timeout time.Duration) <-chan error {
	s.timeout.Store(int64(timeout))
	if s.store.Swap(&store) != nil {
		s.listen()
		signal(s.retry) // which tells what is set for targets that are new
		return nil
	}
	s.working.Store(true)
	met := make(chan error, 1)
	s.tasks.Go(safely.Func("session store", func() { s.keepMeeting(met) }))
	s.tasks.Go(safely.Func("session store", s.keepWriting))
	s.listen()
	return met
}

// Working reports whether the store is used, and not just tried.
func (s *Sharer) Working() bool { return s.working.Load() }

// call makes a request that no client waits for.
func (s *Sharer) call(request func(context.Context, stores.Store) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	err := s.callWithin(ctx, request)
	if err != nil {
		s.behind.Store(true)
	}
	return err
}

var errPanic = errors.New("the session store has panicked")

// callWithin makes a request, and notes whether the store works.
func (s *Sharer) callWithin(ctx context.Context, request func(context.Context, stores.Store) error) error {
	began, err := time.Now(), errPanic
	safely.Do("session store", func() { err = request(ctx, *s.store.Load()) })
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && err != nil {
		err = fmt.Errorf("no answer within %v: %w", time.Since(began).Round(time.Millisecond), err)
	}
	if s.countFault(began, err) {
		s.fail(err)
	}
	return err
}

// countFault notes what became of a request that began then, and reports whether too many have failed, each after the other. Those that are
// under way at the same time fail together, as in a pause of the server or of this machine, and count once.
func (s *Sharer) countFault(began time.Time, err error) bool {
	f := &s.faults
	f.Lock()
	defer f.Unlock()
	if err == nil {
		f.row = 0
	}
	if err == nil || s.closed.Load() {
		return false
	}
	s.counts.Errors.Add(1)
	if !began.Before(f.last) {
		f.row++
		f.last = time.Now()
	}
	return f.row >= tolerated
}

// fail has no client wait for the store until it works again.
func (s *Sharer) fail(err error) {
	if s.working.CompareAndSwap(true, false) {
		s.local.Failed(err)
		signal(s.retry)
	}
}

func signal(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Close tells the store what is pending, lets go of the node, and ends all goroutines. It takes no longer than the context.
func (s *Sharer) Close(ctx context.Context) {
	s.closed.Store(true)
	s.cancel()
	if s.store.Load() == nil {
		return
	}
	done := make(chan struct{})
	go safely.Do("session store", func() {
		defer close(done)
		s.tasks.Wait()
		if s.working.Load() && ctx.Err() == nil {
			s.flush(ctx)
			_ = s.callWithin(ctx, func(ctx context.Context, store stores.Store) error {
				_, err := store.Meet(ctx, s.pool, stores.Node{ID: s.node, Host: s.host, Interval: MeetInterval, Leaving: true})
				return err
			})
		}
	})
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// ttl is how long the store is to keep a session.
func (s Session) ttl() time.Duration {
	left := min(s.Left, maxTTL)
	if s.Live {
		return left + Lease
	}
	return max(left, time.Millisecond)
}

// parts is how many the table of sessions has.
const parts = session.Parts
