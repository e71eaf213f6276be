package share

import (
	"context"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// listen has a listener hear the news of the store that is used now. The one before ends as soon as the new one misses nothing.
func (s *Sharer) listen() {
	ctx, stop := context.WithCancel(s.ctx)
	l := &s.listening
	l.Lock()
	before := l.stop
	l.stop = stop
	l.Unlock()
	if before == nil {
		before = func() {}
	}
	store := *s.store.Load()
	s.tasks.Go(safely.Func("session store", func() {
		defer before()
		s.keepListening(ctx, store, before)
	}))
}

// keepListening hears the news until the context ends. Whenever some may have been missed, it has the store told of all sessions, which tells
// where they are by now.
func (s *Sharer) keepListening(ctx context.Context, store stores.Store, heardAll func()) {
	missed := false
	for ctx.Err() == nil {
		err := errPanic
		safely.Do("session store", func() {
			err = store.Listen(ctx, s.pool, s.node, func(n stores.News) {
				if n != (stores.News{}) {
					s.hear(n)
					return
				}
				heardAll()
				if missed {
					s.tellAll()
				}
				missed = true
			})
		})
		if ctx.Err() != nil {
			return
		}
		if missed = true; err != nil {
			s.counts.Errors.Add(1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryInterval):
		}
	}
}

// hear does what another node has done.
func (s *Sharer) hear(n stores.News) {
	if !n.Client.IsValid() {
		s.heard(n.Target, n.Setting)
		return
	}
	s.local.Follow(n.Client, n.Target)
}
