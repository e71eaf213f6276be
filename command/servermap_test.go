package command

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/command/internal/haproxy"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

// recorded is what HAProxy has answered.
const recorded = "internal/haproxy/testdata/2.6.12"

// upstreamsOf returns a pool that has upstreams at these addresses, or at <name>@<address> those that names stand for.
func upstreamsOf(addresses ...string) (pool adminapi.Pool) {
	pool.Pool = "default"
	for _, text := range addresses {
		name, address, found := strings.Cut(text, "@")
		if !found {
			address = name
		}
		pool.Upstreams = append(pool.Upstreams, adminapi.Upstream{Address: address, Upstream: name})
	}
	return pool
}

// TestServerMap finds the upstreams of the servers of a table by what flags and the state of the servers tell.
func TestServerMap(t *testing.T) {
	both := upstreamsOf("127.0.0.1:9201", "127.0.0.1:9202")
	mixed := upstreamsOf("127.0.0.1:9201", "[::1]:9202", "unix//tmp/haproxy/u1")
	names := upstreamsOf("localhost:9201@10.0.0.1:9201", "127.0.0.1:9202")
	for _, c := range []struct {
		table   string
		pool    adminapi.Pool
		states  bool
		servers string
		want    string
	}{
		{"v4", both, true, "", "1=127.0.0.1:9201 2=127.0.0.1:9202"},
		{"v4", both, false, "s1=127.0.0.1:9201 2=127.0.0.1:9202", "1=127.0.0.1:9201 2=127.0.0.1:9202"},
		{"v4", both, true, "s1=127.0.0.1:9202", "1=127.0.0.1:9202 2=127.0.0.1:9202"},
		{"v4", both, true, "s2=", "1=127.0.0.1:9201 2="},
		{"v4", both, false, "s1=127.0.0.1:9201", "server_id=2 server_key=s2 (2 sessions); add --servers with a file that has HAProxy's answer to 'show servers state', or --server NAME=ADDRESS for each, where the address is one of 127.0.0.1:9201, 127.0.0.1:9202"},
		{"v4", upstreamsOf("127.0.0.1:9201"), true, "", "server_id=2 server_key=s2 (2 sessions); add"},
		{"v4", both, false, "s1=127.0.0.1:7", "--server: the pool 'default' has no upstream '127.0.0.1:7' that stands for one target; there are 127.0.0.1:9201, 127.0.0.1:9202"},
		{"v4", both, false, "s1", "--server: 's1' is not <name or id>=<address>"},
		{"v4", both, false, "=a:1", "--server: '=a:1' is not <name or id>=<address>"},
		{"v4", both, false, "s1=127.0.0.1:9201 s1=127.0.0.1:9202", "--server: 's1' is given twice, with different addresses"},
		{"v6", mixed, false, "", "1=127.0.0.1:9201 2=[::1]:9202 3=unix//tmp/haproxy/u1"},
		{"v6", upstreamsOf("127.0.0.1:9201", "unix//tmp/haproxy/u1"), true, "::1:9202=127.0.0.1:9201", "1=127.0.0.1:9201 2=127.0.0.1:9201 3=unix//tmp/haproxy/u1"},
		{"noexp", names, true, "", "1=10.0.0.1:9201 2=127.0.0.1:9202"},
		{"noexp", upstreamsOf("localhost:9201@10.0.0.1:9201", "localhost:9201@10.0.0.2:9201", "127.0.0.1:9202"), true, "", "server_id=1 server_key=s1 ("},
		{"v4", upstreamsOf("localhost:9201@10.0.0.1:9201", "127.0.0.1:9202"), false, "s1=LOCALHOST:9201 s2=127.0.0.1:9202", "1=10.0.0.1:9201 2=127.0.0.1:9202"},
	} {
		m := serverMap{pool: c.pool}
		upstreams, err := resolveRecorded(t, &m, c.table, c.states, strings.Fields(c.servers))
		got := describeServers(upstreams)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, c.want) || err == nil && got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.table, c.servers, got, c.want)
		}
	}
}

func resolveRecorded(t *testing.T, m *serverMap, name string, states bool, servers []string) (map[*haproxy.Server]string, error) {
	t.Helper()
	table, err := chooseTable(readRecorded(t), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.addFlags(servers); err != nil {
		return nil, err
	}
	if states {
		flags := dumpFlags{states: recorded + ".servers"}
		all, err := flags.readStates()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.addStates(all, name); err != nil {
			return nil, err
		}
	}
	return m.resolve(table)
}

func readRecorded(t *testing.T) []*haproxy.Table {
	t.Helper()
	file, err := os.Open(recorded + ".table")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tables, err := haproxy.ReadTables(file)
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func describeServers(upstreams map[*haproxy.Server]string) string {
	var all []string
	for server, upstream := range upstreams {
		all = append(all, fmt.Sprintf("%s=%s", server.ID, upstream))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestBackendOfTable takes the servers of the backend that a table belongs to.
func TestBackendOfTable(t *testing.T) {
	one, two := haproxy.ServerState{Backend: "one", ID: "1"}, haproxy.ServerState{Backend: "two", ID: "2"}
	for _, c := range []struct {
		table  string
		states []haproxy.ServerState
		want   string
	}{
		{"two", []haproxy.ServerState{one, two}, "[{two 2  []}] <nil>"},
		{"peers/sticks", []haproxy.ServerState{one, one}, "[{one 1  []} {one 1  []}] <nil>"},
		{"peers/sticks", []haproxy.ServerState{two, one}, "[] --servers: the table 'peers/sticks' is not one of the backends one, two; give the answer to 'show servers state' for one backend"},
		{"peers/sticks", nil, "[] <nil>"},
	} {
		var m serverMap
		err := m.addStates(c.states, c.table)
		if got := fmt.Sprint(m.states, err); got != c.want {
			t.Errorf("%s: %s, want %s", c.table, got, c.want)
		}
	}
}

// TestChooseTable takes the table with a name, or the only one that has clients at servers.
func TestChooseTable(t *testing.T) {
	client := []haproxy.Entry{{}}
	counts := &haproxy.Table{Name: "counts", Others: 7}
	empty := &haproxy.Table{Name: "empty"}
	first, second := &haproxy.Table{Name: "first", Entries: client}, &haproxy.Table{Name: "second", Entries: client}
	for _, c := range []struct {
		tables []*haproxy.Table
		name   string
		want   string
	}{
		{[]*haproxy.Table{first}, "", "first"},
		{[]*haproxy.Table{counts, empty, second}, "", "second"},
		{[]*haproxy.Table{first, second}, "", "there are several tables; choose one of first, second by --table"},
		{[]*haproxy.Table{first, second}, "second", "second"},
		{[]*haproxy.Table{first, second}, "third", "--table: 'third' is not one of the tables first, second"},
		{[]*haproxy.Table{empty}, "", "empty"},
		{[]*haproxy.Table{counts}, "", "no client sticks to a server in the tables counts"},
	} {
		chosen, err := chooseTable(c.tables, c.name)
		got := fmt.Sprint(err)
		if err == nil {
			got = chosen.Name
		}
		if got != c.want {
			t.Errorf("%q of %v: %s, want %s", c.name, c.tables, got, c.want)
		}
	}
}
