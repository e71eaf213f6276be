package relay

import "sync"

// running has all relays that are under way as its keys.
var running sync.Map

// abortRelays resets the connections of relays whose Established is one of those.
func abortRelays(which func(owner any) bool) {
	running.Range(func(key, _ any) bool {
		if r := key.(*relay); which(r.established) {
			r.cut()
		}
		return true
	})
}
