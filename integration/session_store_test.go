package integration

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Clients are at the same target at both nodes, whichever they come to first, also at the same time.
func TestSharedSessions(t *testing.T) {
	t.Parallel()
	targets, ips := greeters(t, 4), clientIPs(300)
	c := startCluster(t, storeAt(startRedis(t)), targets...)
	mustAgree(t, "at the second node", whoEach(t, ips[:100], c.secondListen), whoEach(t, ips[:100], c.firstListen))
	first := whoEach(t, ips[100:200], c.secondListen)
	mustAgree(t, "at the first node", whoEach(t, ips[100:200], c.firstListen), first)
	var both [2]map[string]string
	var wg sync.WaitGroup
	for i, listen := range []string{c.firstListen, c.secondListen} {
		wg.Go(func() { both[i] = whoEach(t, ips[200:], listen) })
	}
	wg.Wait()
	mustAgree(t, "at the same time", both[0], both[1])
}

// A client that has left its target at one node has left it at the other, where the target never failed.
func TestSharedFailover(t *testing.T) {
	t.Parallel()
	targets, ips := greeters(t, 3), clientIPs(60)
	c := startCluster(t, storeAt(startRedis(t)), targets...)
	homes := whoEach(t, ips, c.firstListen)
	var e struct{ Text string }
	if c.second.mustAsk(t, "GET", "pools/default/explain?client="+ips[0], "", &e); !strings.Contains(e.Text, "the session store") {
		t.Errorf("it is explained by %q", e.Text)
	}
	mustAgree(t, "at the second node", whoEach(t, ips, c.secondListen), homes)
	failed := targets[0]
	left := homedAt(homes, failed.name)
	failed.stop()
	moved := whoEach(t, left, c.firstListen)
	failed.start(t)
	await(t, "the clients have moved at the other node", func() bool { return c.second.upstream(t, failed).Sessions.Idle == 0 })
	mustAgree(t, "at the second node", whoEach(t, left, c.secondListen), moved)
}

// What an operator sets at one node holds at the other, and at one that starts later.
func TestSharedOverrides(t *testing.T) {
	t.Parallel()
	targets, store := greeters(t, 2), startRedis(t)
	c := startCluster(t, storeAt(store), targets...)
	c.first.patch(t, targets[0], `{"state": "drain", "weight": 7, "deadline": "1h"}`)
	drained := func(p *balancerProcess) func() bool {
		return func() bool {
			u := p.upstream(t, targets[0])
			return u.State == "drained" && u.Weight == 7
		}
	}
	await(t, "the target drains at the other node", drained(c.second))
	for _, name := range whoEach(t, clientIPs(30), c.secondListen) {
		if name != targets[1].name {
			t.Fatal("a client is placed at a target that drains")
		}
	}
	later := startCaddy(t, nodeConfig(freeAddr(t), "rendezvous", storeAt(store), targets...))
	await(t, "the target drains at a node that starts later", drained(later))
	later.patch(t, targets[0], `{"state": "active"}`)
	for _, p := range []*balancerProcess{c.first, c.second} {
		await(t, "the target is active", func() bool {
			u := p.upstream(t, targets[0])
			return u.State == "active" && u.Weight == 1
		})
	}
}

// The nodes are listed, and one that ends is not.
func TestNodesAreListed(t *testing.T) {
	t.Parallel()
	c := startCluster(t, storeAt(startRedis(t)), greeters(t, 1)...)
	type view struct {
		Node  string
		Nodes []struct {
			ID, Host    string
			LastSeen    time.Time `json:"last_seen"`
			Connections int
		}
	}
	look := func(p *balancerProcess) (v view) {
		p.mustAsk(t, "GET", "pools/default", "", &v)
		return v
	}
	hold(t, "127.0.0.2", c.secondListen)
	await(t, "both are listed, with their connections", func() bool {
		v := look(c.first)
		if len(v.Nodes) != 2 {
			return false
		}
		connections := v.Nodes[0].Connections + v.Nodes[1].Connections
		return connections == 1 && v.Nodes[0].Host != "" && time.Since(v.Nodes[1].LastSeen) < time.Minute
	})
	if a, b := look(c.first), look(c.second); a.Node == b.Node || a.Node == "" {
		t.Errorf("the nodes are %q and %q", a.Node, b.Node)
	}
	own := look(c.first).Node
	mustMatch(t, c.first.stickyCommand(t), `Pool default: .*\nNODE +HOST +SEEN +CONNECTIONS *\n.*`+own+`\* +\S+ +\d+s ago +0 *\n.*`, "status")
	c.second.end(t)
	await(t, "one is left", func() bool { return len(look(c.first).Nodes) == 1 })
}

// A store that is down shows where an operator looks.
func TestStoreThatIsDownShows(t *testing.T) {
	t.Parallel()
	store, listen, target := startRedis(t), freeAddr(t), greeters(t, 1)[0]
	p := startCaddy(t, nodeConfig(listen, "rendezvous", storeAt(store), target))
	up := func() string {
		var v map[string]json.RawMessage
		p.mustAsk(t, "GET", "pools/default", "", &v)
		return string(v["store_up"])
	}
	if got := up(); got != "true" {
		t.Errorf("store_up is %q", got)
	}
	store.kill()
	whoEach(t, clientIPs(10), listen) // by which the node notices it at once
	await(t, "the store is down", func() bool { return up() == "false" })
	mustMatch(t, p.stickyCommand(t), `Pool default: .*; the session store is down\n.*`, "status")
	p.reload(t, nodeConfig(listen, "rendezvous", "", target))
	if got := up(); got != "" {
		t.Errorf("without a store, store_up is %q", got)
	}
}

// A node that was restarted knows its clients, and so does one whose sessions were not shared before a reload.
func TestSessionsOutliveANode(t *testing.T) {
	t.Parallel()
	targets, ips, store, listen := greeters(t, 3), clientIPs(60), startRedis(t), freeAddr(t)
	p := startCaddy(t, nodeConfig(listen, "legacy", "", targets...))
	homes := whoEach(t, ips, listen)
	p.reload(t, nodeConfig(listen, "legacy", storeAt(store), targets...))
	await(t, "the store knows all", func() bool { return store.clients() == len(ips) })
	p.end(t)
	startCaddy(t, nodeConfig(listen, "rendezvous", storeAt(store), targets...))
	mustAgree(t, "after a restart", whoEach(t, ips, listen), homes)
}

// The policy sticky_ip shares the sessions of sticky_proxy.
func TestSharedSessionsOfProxy(t *testing.T) {
	t.Parallel()
	targets, ips, store := greeters(t, 3), clientIPs(60), startRedis(t)
	first, second := freeAddr(t), freeAddr(t)
	startCaddy(t, nodeConfig(first, "legacy", storeAt(store), targets...))
	startCaddy(t, caddyfile(server{second, stock("", "session_expiry 1h\n"+storeAt(store), "", targets...)}))
	mustAgree(t, "with sticky_ip", whoEach(t, ips, second), whoEach(t, ips, first))
}

// Whatever befalls the store, clients are served and keep their targets, and the nodes agree again afterwards.
func TestStoreOutages(t *testing.T) {
	t.Parallel()
	for name, outage := range map[string]struct{ begin, end func(*testing.T, *redis) }{
		"killed, and started empty": {
			func(_ *testing.T, r *redis) { r.kill() },
			func(t *testing.T, r *redis) { r.start(t) },
		},
		"stopped": {
			func(t *testing.T, r *redis) { r.signal(t, syscall.SIGSTOP) },
			func(t *testing.T, r *redis) { r.signal(t, syscall.SIGCONT) },
		},
		"full": {
			func(_ *testing.T, r *redis) { r.cli("CONFIG", "SET", "maxmemory", "1") },
			func(_ *testing.T, r *redis) { r.cli("CONFIG", "SET", "maxmemory", "0") },
		},
		"read-only": {
			func(_ *testing.T, r *redis) { r.cli("REPLICAOF", "127.0.0.1", "1") },
			func(_ *testing.T, r *redis) { r.cli("REPLICAOF", "NO", "ONE") },
		},
		"flushed": {
			func(_ *testing.T, r *redis) { r.cli("FLUSHALL") },
			func(*testing.T, *redis) {},
		},
		"locked": {
			func(_ *testing.T, r *redis) {
				r.cli("CONFIG", "SET", "requirepass", "secret")
				r.cli("-a", "secret", "CLIENT", "KILL", "TYPE", "normal")
			},
			func(_ *testing.T, r *redis) { r.cli("-a", "secret", "CONFIG", "SET", "requirepass", "") },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := startRedis(t)
			c := startCluster(t, storeAt(store), greeters(t, 4)...)
			mustSurvive(t, c, store, func() { outage.begin(t, store) }, func() { outage.end(t, store) })
		})
	}
}

// mustSurvive has clients come before an outage of the store, meanwhile and afterwards. After it, the store is at the given one.
func mustSurvive(t *testing.T, c *cluster, store *redis, begin, end func()) {
	t.Helper()
	ips := clientIPs(150)
	known, fresh := ips[:50], ips[50:100]
	before := whoEach(t, known, c.firstListen)
	mustAgree(t, "before", whoEach(t, known, c.secondListen), before)
	open, _ := hold(t, known[0], c.firstListen)
	begin()
	mustAgree(t, "clients that were known", whoEach(t, known, c.firstListen), before)
	began := time.Now()
	meanwhile := whoEach(t, fresh, c.firstListen)
	mustAgree(t, "clients that are new", whoEach(t, fresh, c.firstListen), meanwhile)
	if took := time.Since(began); took > patience/2 {
		t.Errorf("%d new clients have taken %v", len(fresh), took)
	}
	mustEcho(t, open)
	end()
	await(t, "the store is used again", func() bool { return c.works(t) })
	await(t, "the store knows all again", func() bool { return store.clients() == len(known)+len(fresh) })
	mustAgree(t, "afterwards, at the other node", whoEach(t, fresh, c.secondListen), meanwhile)
	mustAgree(t, "afterwards, of those from before", whoEach(t, known, c.secondListen), before)
	last := ips[100:]
	mustAgree(t, "new ones afterwards", whoEach(t, last, c.secondListen), whoEach(t, last, c.firstListen))
}

// The nodes follow a Sentinel to another primary.
func TestStoreFailover(t *testing.T) {
	t.Parallel()
	primary := startRedis(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := strings.Cut(primary.addr, ":")
	replica := startRedis(t, "--replicaof", host+" "+port)
	sentinel := startRedisProgram(t, "redis-sentinel", "--sentinel", "monitor", "sticky", host, port, "1",
		"--sentinel", "down-after-milliseconds", "sticky", "300", "--sentinel", "failover-timeout", "sticky", "3000")
	await(t, "the Sentinel knows the replica", func() bool { return strings.Contains(sentinel.cli("INFO", "sentinel"), "slaves=1") })
	await(t, "the replica follows", func() bool { return strings.Contains(replica.cli("INFO", "replication"), "master_link_status:up") })
	c := startCluster(t, fmt.Sprintf("session_store redis %s {\nsentinel_master sticky\n}", sentinel.addr), greeters(t, 4)...)
	mustSurvive(t, c, replica, primary.kill, func() {
		await(t, "the replica is the primary", func() bool { return strings.Contains(replica.cli("INFO", "replication"), "role:master") })
	})
}

// A store that can't be used is an error only where it is required.
func TestStoreAtLoad(t *testing.T) {
	t.Parallel()
	locked := startRedis(t, "--requirepass", "s3cret")
	target := greeters(t, 1)[0]
	for name, store := range map[string]string{
		"no server":      "session_store redis " + freeAddr(t),
		"no password":    storeAt(locked),
		"wrong password": storeAt(locked) + " {\npassword wrong-s3cret\n}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen := freeAddr(t)
			p := startCaddy(t, nodeConfig(listen, "rendezvous", store, target))
			who(t, "127.0.0.2", listen)
			await(t, "a warning", func() bool { return strings.Contains(p.Log(), "session store failed") })
			err := p.load(nodeConfig(listen, "rendezvous", store+"\nstore_required on", target))
			if err == nil || !strings.Contains(err.Error(), "session_store: the store is required") {
				t.Errorf("loaded: %v", err)
			}
			who(t, "127.0.0.3", listen)
			if strings.Contains(p.Log()+fmt.Sprint(err), "s3cret") {
				t.Error("the password is told")
			}
		})
	}
	listen := freeAddr(t)
	startCaddy(t, nodeConfig(listen, "rendezvous", storeAt(locked)+" {\npassword s3cret\n}\nstore_required on", target))
	who(t, "127.0.0.2", listen)
}

// A config that is only validated leaves no node behind that the others would list.
func TestValidateLeavesNoNode(t *testing.T) {
	t.Parallel()
	store := startRedis(t)
	path, adapter := writeConfig(t, nodeConfig(freeAddr(t), "rendezvous", storeAt(store), greeters(t, 1)...))
	if output, err := caddyCommand(t, "validate", "--config", path, "--adapter", adapter).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if nodes := store.cli("HGETALL", "sticky:{default}:nodes"); nodes != "" {
		t.Errorf("these are left: %s", nodes)
	}
}

// Reloads with a store leave nothing behind.
func TestStoreLeaks(t *testing.T) {
	t.Parallel()
	store, target, listen := startRedis(t), greeters(t, 1)[0], freeAddr(t)
	with, without := nodeConfig(listen, "rendezvous", storeAt(store), target), nodeConfig(listen, "rendezvous", "", target)
	p := startCaddy(t, without)
	who(t, "127.0.0.2", listen)
	p.reload(t, with)
	p.reload(t, without)
	inventory := func() (all map[string]int) {
		all = p.descriptors(t)
		all["goroutines"], _ = p.goroutines(t)
		return all
	}
	await(t, "the store is closed", func() bool { return !strings.Contains(store.cli("CLIENT", "LIST"), "lib-name=rueidis") })
	before := inventory()
	for range 10 {
		p.reload(t, with)
		p.reload(t, strings.Replace(with, "1h", "2h", 1))
		who(t, "127.0.0.3", listen)
		p.reload(t, without)
	}
	await(t, "nothing is left behind", func() bool {
		after := inventory()
		return after["goroutines"] <= before["goroutines"]+2 && after["socket"] <= before["socket"]+1
	})
}
