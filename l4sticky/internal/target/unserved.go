package target

import (
	"net/netip"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// Unserved notes that the target ended a client's connection, or failed, without ever having sent a byte. It reports
// whether that has now happened to so many clients in a row, while the target has sent nothing to any other, that it serves
// nobody. Then it begins to count anew.
func (t *Target) Unserved(client netip.Addr, limit int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sent := t.Bytes.Bytes(flow.Target); sent != t.sentBefore {
		t.unserved, t.sentBefore = nil, sent
	}
	if !slices.Contains(t.unserved, client) {
		t.unserved = append(t.unserved, client)
	}
	if len(t.unserved) < limit {
		return false
	}
	t.unserved = nil
	return true
}

// DeactivateMute is Deactivate for a target that serves nobody.
func (t *Target) DeactivateMute(d time.Duration) bool {
	return t.deactivate(d, func() { t.mute, t.sentBefore = true, t.Bytes.Bytes(flow.Target) })
}
