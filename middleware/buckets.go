package middleware

import (
	"container/heap"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

// bucketPools holds the buckets of all rate limits by name, which outlive the configs that use them.
var bucketPools = caddy.NewUsagePool()

// limits are what all rate limits of the same name must have in common within one config.
type limits struct {
	window      time.Duration
	connections int
	burst       int
	prefix      parse.ClientPrefix
	maxClients  int
}

func (l limits) rate() rate.Limit {
	return rate.Limit(float64(l.connections) / l.window.Seconds())
}

// toFill returns the time in which that many tokens are added.
func (l limits) toFill(tokens float64) time.Duration {
	seconds := tokens / float64(l.rate())
	return time.Duration(min(seconds, parse.MaxDuration.Seconds()) * float64(time.Second))
}

// buckets are those of one name. What stays full is not kept: a client without a bucket has a full one.
type buckets struct {
	name string
	now  func() time.Time

	mu       sync.Mutex // guards all below
	users    []*bucketUser
	byClient map[netip.Addr]*bucket
	byFill   fillOrder
}

// A bucket is one client's.
type bucket struct {
	client netip.Addr
	tokens *rate.Limiter
	full   time.Time // when it will be, if the client keeps quiet
	index  int       // in the order
}

// A bucketUser is a rate limit that shares the buckets. Its limits hold for the clients that come through it.
type bucketUser struct {
	*buckets
	config *prometheus.Registry // identifies the config
	limits limits
}

func newBuckets(name string, now func() time.Time) *buckets {
	return &buckets{name: name, now: now, byClient: make(map[netip.Addr]*bucket)}
}

// Destruct does nothing: the buckets are garbage when no rate limit uses them any more.
func (*buckets) Destruct() error { return nil }

// joinBuckets adds a rate limit of the config that is being provisioned to the buckets of that name. The rate limit must
// call quit when it is cleaned up.
func joinBuckets(name string, config *prometheus.Registry, l limits) (*bucketUser, error) {
	value, _, err := bucketPools.LoadOrNew(name, func() (caddy.Destructor, error) { return newBuckets(name, time.Now), nil })
	if err != nil {
		return nil, err
	}
	user, err := value.(*buckets).join(config, l)
	if err != nil {
		_, _ = bucketPools.Delete(name)
	}
	return user, err
}

func (b *buckets) join(config *prometheus.Registry, l limits) (*bucketUser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, other := range b.users {
		if other.config == config && other.limits != l {
			return nil, fmt.Errorf("name: two rate limits have the name '%s' and different options; name one of them otherwise", b.name)
		}
	}
	user := &bucketUser{b, config, l}
	b.users = append(b.users, user)
	return user, nil
}

// quit undoes the join.
func (u *bucketUser) quit() error {
	u.mu.Lock()
	u.users = slices.DeleteFunc(u.users, func(other *bucketUser) bool { return other == u })
	u.mu.Unlock()
	_, err := bucketPools.Delete(u.name)
	return err
}

// take takes a token from the client's bucket if there is one.
func (u *bucketUser) take(client netip.Addr) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	own := u.byClient[client]
	if own == nil {
		u.unsyncedMakeRoom(now)
		own = &bucket{client: client, tokens: rate.NewLimiter(u.limits.rate(), u.limits.burst)}
		u.byClient[client] = own
		heap.Push(&u.byFill, own)
	}
	if own.tokens.Limit() != u.limits.rate() || own.tokens.Burst() != u.limits.burst { // after a reload
		own.tokens.SetLimitAt(now, u.limits.rate())
		own.tokens.SetBurstAt(now, u.limits.burst)
	}
	taken := own.tokens.AllowN(now, 1)
	own.full = now.Add(u.limits.toFill(float64(u.limits.burst) - own.tokens.TokensAt(now)))
	heap.Fix(&u.byFill, own.index)
	return taken
}

// unsyncedMakeRoom removes the fullest buckets until there is room for one more, and up to two that are full by now: so
// the table shrinks faster than it grows, and no connection waits for a long clean-up. The lock must be held.
func (u *bucketUser) unsyncedMakeRoom(now time.Time) {
	for gone := 0; len(u.byFill) > 0; gone++ {
		isFull := gone < 2 && !now.Before(u.byFill[0].full)
		if !isFull && len(u.byFill) < u.limits.maxClients {
			return
		}
		fullest := heap.Pop(&u.byFill).(*bucket)
		delete(u.byClient, fullest.client)
	}
}

// fillOrder is a heap whose first bucket is the first that will be full.
type fillOrder []*bucket

func (f fillOrder) Len() int           { return len(f) }
func (f fillOrder) Less(i, j int) bool { return f[i].full.Before(f[j].full) }

func (f fillOrder) Swap(i, j int) {
	f[i], f[j] = f[j], f[i]
	f[i].index, f[j].index = i, j
}

func (f *fillOrder) Push(x any) {
	b := x.(*bucket)
	b.index = len(*f)
	*f = append(*f, b)
}

func (f *fillOrder) Pop() any {
	last := len(*f) - 1
	b := (*f)[last]
	(*f)[last] = nil
	*f = (*f)[:last]
	return b
}
