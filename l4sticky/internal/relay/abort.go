package relay

import "sync"

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

// owner returns the Established of the relay, or what stands for it while another target is looked for.
func (r *relay) owner() any {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seeker != nil {
		return r.seeker
	}
	return r.established
}
