package integration

import (
	"strings"
	"testing"
)

// A client has as many connections as it may have, whatever others have, and gets the next when one ends.
func TestMaxConnectionsPerClient(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(2)
	caddy := startCaddy(t, balance(listen, "max_connections_per_client 2", targets...))
	first, _ := hold(t, ips[0], listen)
	hold(t, ips[0], listen)
	for range 3 {
		mustClose(t, dialFrom(t, ips[0], listen))
	}
	hold(t, ips[1], listen)
	const line = `"reason":"max_connections_per_client, which is 2"`
	if got := strings.Count(caddy.Log(), line); got != 3 {
		t.Errorf("the log has %d times %s, want 3", got, line)
	}
	if got := caddy.metric(t, `caddy_sticky_blocked_total{pool="default",reason="max_connections_per_client"}`); got != "3" {
		t.Errorf("%q connections are counted as blocked, want 3", got)
	}
	first.Close()
	await(t, "the place of the connection that ended", func() bool {
		_, err := tryWho(ips[0], listen)
		return err == nil
	})
}

// A pool has as many connections as it may have.
func TestMaxConnectionsOfPool(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(3)
	startCaddy(t, balance(listen, "max_connections 2", targets...))
	first, _ := hold(t, ips[0], listen)
	hold(t, ips[1], listen)
	mustClose(t, dialFrom(t, ips[2], listen))
	first.Close()
	await(t, "the place of the connection that ended", func() bool {
		_, err := tryWho(ips[2], listen)
		return err == nil
	})
}
