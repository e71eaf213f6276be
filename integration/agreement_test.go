package integration

import (
	"net"
	"testing"
)

// Two processes that have the same config, and share nothing, send 10,000 clients to the same targets. When a dial to a target has failed in one
// of them only, the clients of that target are elsewhere there, and no others; once it is back, new clients are at the same targets again.
func TestNodesAgreeWithoutSharedState(t *testing.T) {
	t.Parallel()
	const clients, some = 10_000, 500
	targets, ips := greeters(t, 5), clientIPs(clients+2*some)
	first, second := freeAddr(t), freeAddr(t)
	node := startCaddy(t, balance("seamless/"+first, "deactivation_duration 1h", targets...))
	startCaddy(t, balance("seamless/"+second, "deactivation_duration 1h", targets...))

	homes := whoEach(t, ips[:clients], first)
	mustAgree(t, "at the other node", whoEach(t, ips[:clients], second), homes)
	for _, target := range targets {
		if n := len(homedAt(homes, target.name)); n < clients/len(targets)*9/10 {
			t.Errorf("only %d of %d clients are at %s", n, clients, target.name)
		}
	}

	failed, left := targets[0], 0
	held := failsAtOneNode(t, failed, homedAt(homes, failed.name), first)
	if state := node.upstream(t, failed).State; state != "deactivated" {
		t.Fatalf("the target is %s at the first node", state)
	}
	asked := append(ips[:some:some], ips[clients:clients+some]...) // with a session and without
	elsewhere := whoEach(t, asked, first)
	for ip, name := range whoEach(t, asked, second) {
		switch {
		case name == failed.name:
			left++
			if elsewhere[ip] == failed.name {
				t.Errorf("%s is still at the target that is down", ip)
			}
		case elsewhere[ip] != name:
			t.Errorf("%s is at %s by the first node, and at %s by the second", ip, elsewhere[ip], name)
		}
	}
	t.Logf("%d of %d clients differ while one of two nodes sees one of %d targets down", left, len(asked), len(targets))
	if left < len(asked)/len(targets)*7/10 {
		t.Errorf("only %d of %d clients are at the target at the node that does not see it down", left, len(asked))
	}

	// A target that resets a connection is looked at, and found to accept.
	reset(held)
	await(t, "the first node to see that the target is back", func() bool { return node.upstream(t, failed).State == "active" })
	fresh := ips[clients+some:]
	mustAgree(t, "with the target back", whoEach(t, fresh, second), whoEach(t, fresh, first))
}

// failsAtOneNode stops a target for as long as it takes to have a client of it connect by one node, which then knows that the target
// fails. It returns the target's end of a connection by that node that is open all the while.
func failsAtOneNode(t *testing.T, target *target, clients []string, node string) (held *net.TCPConn) {
	t.Helper()
	await(t, "the target to see its clients leave", func() bool { return target.open() == 0 })
	hold(t, clients[0], node)
	target.mu.Lock()
	for conn := range target.conns {
		held = conn
	}
	target.mu.Unlock()
	target.stop()
	if name := who(t, clients[1], node); name == target.name {
		t.Fatalf("%s is at a target that refuses connections", clients[1])
	}
	target.start(t)
	return held
}
