package relay

import (
	"sync"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

// mostPasses is how often Abort looks again for pairs that may have moved from a loop that was not looked at yet to one that
// was.
const mostPasses = 10

// Abort resets the connections whose Established, or Picker while there is none, is one of those. It returns when that is
// done. Of a connection that is none it may be asked several times.
func Abort(which func(owner any) bool) {
	abortRelays(which)
	for range mostPasses {
		moves := eventloop.Moved()
		abortPairs(which)
		if eventloop.Moved() == moves {
			return
		}
	}
}

func abortPairs(which func(owner any) bool) {
	var wait sync.WaitGroup
	for _, l := range eventloop.All() {
		wait.Add(1)
		l.Post(func() {
			defer wait.Done()
			l.Tasks(func(t *eventloop.Task) {
				if p, ok := t.Handler().(*pair); ok {
					p.abort(which)
				}
			})
		})
	}
	wait.Wait()
}

// abort is Abort for one pair.
func (p *pair) abort(which func(owner any) bool) {
	switch {
	case p.finder != nil && which(p.finder.Picker()):
		connchain.ResetDescriptorOnClose(int(p.ends[client].FD))
		p.finder.ClientGone()
	case p.established != nil && which(p.established):
		p.do(p.flow.Cut())
	}
}
