package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// replicaOf starts a server that follows another one, and waits until it does.
func replicaOf(t testing.TB, primary *server) *server {
	t.Helper()
	replica := startServer(t, "--replicaof", fmt.Sprintf("127.0.0.1 %d", primary.port), "--repl-diskless-load", "swapdb")
	primary.cli("CONFIG", "SET", "repl-diskless-sync-delay", "0")
	await(t, "a replica", func() bool { return strings.Contains(replica.cli("INFO", "replication"), "master_link_status:up") })
	return replica
}

// A store of Sentinels follows the primary.
func TestSentinel(t *testing.T) {
	t.Parallel()
	primary := startServer(t)
	replica := replicaOf(t, primary)
	sentinel := newServer(t, "redis-sentinel")
	config := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor sticky 127.0.0.1 %d 1\nsentinel down-after-milliseconds sticky 300\n"+
		"sentinel failover-timeout sticky 2000\nrequirepass s3cret\n", sentinel.port, primary.port)
	sentinel.args = []string{write(t, sentinel.folder, "sentinel.conf", []byte(config))}
	sentinel.password = "s3cret"
	sentinel.start()
	allow(t, sentinel, 1)
	for _, s := range []*server{primary, replica} {
		allow(t, s, 0)
	}
	const users = `"username": "caddy", "password": "s3cret", "sentinel_master": "sticky", "sentinel_username": "caddy", `
	store := open(t, `{`+users+`"sentinel_password": "s3cret"}`, sentinel)
	l := listen(t, store, "default", "other")
	if err := try(soon(t), store); err != nil {
		t.Fatal(err)
	}
	await(t, "the replica", func() bool { return replica.cli("GET", namesOfDefault().session(client)) != "(nil)" })
	await(t, "that the Sentinel knows the replica", func() bool {
		return strings.Contains(sentinel.cli("INFO", "sentinel"), "slaves=1")
	})
	primary.kill()
	if err := <-l.ended; err == nil {
		t.Error("no error of Listen")
	}
	await(t, "the failover", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return try(ctx, store) == nil
	})
	listen(t, store, "default", "other")
	if u := update(t, store, "n1", stores.Update{Client: client, Target: targetB, TTL: time.Minute}); u.Kept != targetA {
		t.Errorf("%+v", u)
	}
	wrong := open(t, `{`+users+`"sentinel_password": "s3cret-2"}`, sentinel)
	if err := try(soon(t), wrong); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}

// startCluster starts a cluster of three servers.
func startCluster(t testing.TB) []*server {
	t.Helper()
	all := make([]*server, 3)
	for i := range all {
		all[i] = startServer(t, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(freeport.Get(t)), "--cluster-node-timeout", "2000")
		const slots = 16384
		all[i].cli("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(slots*i/3), strconv.Itoa(slots*(i+1)/3-1))
		all[i].cli("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, other := range all[1:] {
		all[0].cli("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(other.port), other.args[3])
	}
	for _, s := range all {
		s.await("the cluster", func() bool {
			info := s.cli("CLUSTER", "INFO")
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_known_nodes:3")
		})
	}
	return all
}

// A cluster has the sessions at all of its nodes, and a batch is a command for each tag.
func TestCluster(t *testing.T) {
	t.Parallel()
	all := startCluster(t)
	store, other := open(t, "", all[0]), open(t, "", all...)
	l := listen(t, other, "default", "other")
	updates := make([]stores.Update, 5000)
	for i, c := range clients(len(updates)) {
		updates[i] = stores.Update{Client: c, Target: targetA, Live: true, TTL: time.Minute}
	}
	for i := range 2 {
		if err := store.Update(t.Context(), "default", "n1", updates); err != nil {
			t.Fatal(err)
		}
		for _, u := range updates {
			if u.Kept != targetA || u.Known != (i == 1) {
				t.Fatalf("%+v", u)
			}
		}
	}
	if err := try(soon(t), store); err != nil {
		t.Error(err)
	}
	if got := l.next(t); got.Setting != "drain" {
		t.Errorf("%+v", got)
	}
	total := 1
	for _, s := range all {
		size, _ := strconv.Atoi(s.cli("DBSIZE"))
		if total += size; size < 1000 {
			t.Errorf("a server has %d keys", size)
		}
	}
	if total < len(updates) || total > len(updates)+10 {
		t.Errorf("there are %d keys", total)
	}
	for _, pool := range []string{"{}", "", "a{b}c"} {
		if err := store.Update(t.Context(), pool, "n1", updates[:200]); err != nil {
			t.Errorf("%q: %v", pool, err)
		}
	}
}

// A slot that has moved, and a server that has gone, are other servers' and nobody's.
func TestClusterChanges(t *testing.T) {
	t.Parallel()
	all := startCluster(t)
	for _, s := range all {
		allow(t, s, 0)
	}
	store := open(t, `{"username": "caddy", "password": "s3cret"}`, all[0])
	if err := try(soon(t), store); err != nil {
		t.Fatal(err)
	}
	slot := all[0].cli("CLUSTER", "KEYSLOT", namesOfDefault().session(client))
	owner := 0
	for i := range all {
		if n, _ := strconv.Atoi(slot); n >= 16384*i/3 {
			owner = i
		}
	}
	from, to := all[owner], all[(owner+1)%3]
	id := to.cli("CLUSTER", "MYID")
	to.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", from.cli("CLUSTER", "MYID"))
	from.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", id)
	from.cli("MIGRATE", "127.0.0.1", strconv.Itoa(to.port), namesOfDefault().session(client), "0", "5000")
	for range 2 {
		if u := update(t, store, "n1", stores.Update{Client: client, Target: targetB, TTL: time.Minute}); u.Kept != targetA {
			t.Errorf("%+v", u)
		}
		for _, s := range all {
			s.cli("CLUSTER", "SETSLOT", slot, "NODE", id)
		}
	}
	to.kill()
	await(t, "that sessions of the lost server fail", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		return store.Update(ctx, "default", "n1", []stores.Update{{Client: client, Target: targetB, TTL: time.Minute}}) != nil
	})
}
