package share

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores/storetest"
)

// A link is a node's connection to a store: what is sent is done in its order, late or not at all, and the answers may be lost. What the node does not
// wait for any more may still be done.
type link struct {
	*storetest.Store
	random func(n int) int
	bad    func() bool // faults are on

	mu   sync.Mutex
	last chan struct{} // is closed when what was sent last is over
}

var errLost = errors.New("the connection is lost")

// The fates of a request.
const (
	done = iota
	refused
	unanswered // it is done, and the answer is lost
)

// fate returns what becomes of a request, and when.
func (l *link) fate() (fate int, after time.Duration) {
	if !l.bad() {
		return done, time.Millisecond
	}
	switch n := l.random(100); {
	case n < 10:
		fate = refused
	case n < 20:
		fate = unanswered
	}
	after = time.Duration(l.random(30)) * time.Millisecond
	if l.random(50) == 0 {
		after = time.Duration(l.random(8000)) * time.Millisecond
	}
	return fate, after
}

// send has a request done, behind those that were sent before.
func (l *link) send(ctx context.Context, request func() error) error {
	fate, after := l.fate()
	over, answer := make(chan struct{}), make(chan error, 1)
	l.mu.Lock()
	before := l.last
	l.last = over
	l.mu.Unlock()
	go func() {
		defer close(over)
		time.Sleep(after)
		if before != nil {
			<-before
		}
		err := errLost
		if fate != refused {
			err = request()
		}
		if fate == unanswered {
			err = errLost
		}
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *link) Update(ctx context.Context, pool, node string, updates []stores.Update) error {
	sent := slices.Clone(updates)
	err := l.send(ctx, func() error { return l.Store.Update(context.Background(), pool, node, sent) })
	if err == nil {
		copy(updates, sent)
	}
	return err
}

func (l *link) Meet(ctx context.Context, pool string, n stores.Node) (stores.Meeting, error) {
	met := make(chan stores.Meeting, 1)
	err := l.send(ctx, func() error {
		m, err := l.Store.Meet(context.Background(), pool, n)
		met <- m
		return err
	})
	if err != nil {
		return stores.Meeting{}, err
	}
	return <-met, nil
}

func (l *link) Set(ctx context.Context, pool, node, target, setting string, missing bool) error {
	return l.send(ctx, func() error { return l.Store.Set(context.Background(), pool, node, target, setting, missing) })
}

// Listen passes the news on late, and ends now and then.
func (l *link) Listen(ctx context.Context, pool, node string, hear func(stores.News)) error {
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	news := make(chan stores.News, 4096)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(news)
	wg.Go(func() {
		for n := range news {
			if _, after := l.fate(); n != (stores.News{}) {
				time.Sleep(after)
				if l.bad() && l.random(50) == 0 {
					lose(errLost)
				}
			}
			if ctx.Err() == nil {
				hear(n)
			}
		}
	})
	err := l.Store.Listen(ctx, pool, node, func(n stores.News) { news <- n })
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// randomFrom returns a source of random numbers for several goroutines.
func randomFrom(seed uint64) func(n int) int {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(seed, seed))
	return func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return r.IntN(n)
	}
}
