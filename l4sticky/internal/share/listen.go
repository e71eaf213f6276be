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
	missed, d := false, deaf{node: s}
	for ctx.Err() == nil {
		err := errPanic
		safely.Do("session store", func() {
			err = store.Listen(ctx, s.pool, s.node, func(n stores.News) {
				if n != (stores.News{}) {
					s.hear(n)
					return
				}
				heardAll()
				d.hears()
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
			d.fails(err)
		}
		heardAll() // the listener before would hear no more
		select {
		case <-ctx.Done():
		case <-time.After(retryInterval):
		}
	}
}

// deaf has it told once if no news can be heard for long though the store is used, as if its user may do all but subscribe.
type deaf struct {
	node  *Sharer
	since time.Time // zero while news are heard, or the store is not used
	told  bool
}

func (d *deaf) fails(err error) {
	switch {
	case !d.node.Working():
		d.since = time.Time{}
	case d.since.IsZero():
		d.since = time.Now()
	case !d.told && time.Since(d.since) >= deafness:
		d.told = true
		d.node.local.Deaf(err)
	}
}

func (d *deaf) hears() {
	d.since = time.Time{}
	if d.told {
		d.told = false
		d.node.local.Deaf(nil)
	}
}

// hear does what another node has done.
func (s *Sharer) hear(n stores.News) {
	if !n.Client.IsValid() {
		signal(s.retry) // a meeting tells what counts now: the news may be older than what this node has set
		return
	}
	s.local.Follow(n.Client, n.Target)
	if _, present := s.local.Session(n.Client); present {
		s.note(n.Client, change{}) // this node may have moved the client since, and the answer to that tells
	}
}
