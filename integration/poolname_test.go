package integration

import (
	"slices"
	"testing"
)

// Two handlers that name no pool and have nothing in common get a pool each, and keep their sessions over a reload.
func TestPoolsWithoutNames(t *testing.T) {
	t.Parallel()
	web, game, ips := freeAddr(t), freeAddr(t), clientIPs(20)
	targets, others, added := greeters(t, 2), greeters(t, 2), greeters(t, 2)
	p := startCaddy(t, caddyfile(server{web, sticky("session_expiry 1h", targets...)}))
	homes := whoEach(t, ips, web)
	names := func() (names []string) {
		var all []poolView
		p.mustAsk(t, "GET", "pools", "", &all)
		for _, view := range all {
			names = append(names, view.Pool)
		}
		return names
	}
	p.reload(t, caddyfile(server{game, sticky("session_expiry 1h", others...)}, server{web, sticky("session_expiry 1h", targets...)}))
	games := whoEach(t, ips, game)
	mustAgree(t, "with a second handler", whoEach(t, ips, web), homes)
	want := []string{slices.Min([]string{others[0].addr, others[1].addr}), "default"}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("the pools are %v, want %v", got, want)
	}
	p.reload(t, caddyfile(
		server{game, sticky("session_expiry 1h", append(slices.Clone(others), added[0])...)},
		server{web, sticky("session_expiry 1h", append(slices.Clone(targets), added[1])...)},
	))
	mustAgree(t, "after upstreams were added", whoEach(t, ips, web), homes)
	mustAgree(t, "after upstreams were added", whoEach(t, ips, game), games)
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("after the reload the pools are %v, want %v", got, want)
	}
}
