package relay

import (
	"sync"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// running has all relays that are under way as its keys.
var running sync.Map

// abortRelays resets the connections of relays whose Established is one of those.
func abortRelays(which func(owner any) bool) {
	running.Range(func(key, _ any) bool {
		if r := key.(*relay); which(r.owner()) {
			r.cut()
		}
		return true
	})
}

// owner returns the Established of the relay, or that of its last target while another one is looked for.
func (r *relay) owner() flow.Established {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.established
}
