package command

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/caddy-sticky/caddy-sticky/command/internal/haproxy"
	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

// dumpFlags are about a dump of HAProxy.
type dumpFlags struct {
	table   string
	servers []string // <name or id>=<address>
	states  string   // the file of --servers
}

func (f *dumpFlags) given() bool { return f.table != "" || len(f.servers) > 0 || f.states != "" }

// readStates reads the file of --servers, if there is one.
func (f *dumpFlags) readStates() ([]haproxy.ServerState, error) {
	if f.states == "" {
		return nil, nil
	}
	file, err := os.Open(f.states)
	if err != nil {
		return nil, fmt.Errorf("--servers: %w", err)
	}
	defer file.Close()
	states, err := haproxy.ReadServers(file)
	if err != nil {
		return nil, fmt.Errorf("--servers %s: %w", f.states, err)
	}
	return states, nil
}

// addDump adds the sessions of a table in a dump of HAProxy, if it is known of all their servers which upstreams they are.
func (i *importer) addDump(text io.Reader, flags *dumpFlags, states []haproxy.ServerState, notes io.Writer) error {
	tables, err := haproxy.ReadTables(text)
	if err != nil {
		return err
	}
	chosen, err := chooseTable(tables, flags.table)
	if err != nil {
		return err
	}
	var pool adminapi.Pool
	if err := i.get(adminapi.Path("pools", i.pool), nil, &pool); err != nil {
		return err
	}
	servers := serverMap{pool: pool}
	if err := servers.addFlags(flags.servers); err != nil {
		return err
	}
	if err := servers.addStates(states, chosen.Name); err != nil {
		return err
	}
	upstreams, err := servers.resolve(chosen)
	if err != nil {
		return err
	}
	left := chosen.Others
	for _, e := range chosen.Entries {
		if upstreams[e.Server] == "" {
			left++
			continue
		}
		if err := i.add(sessionOf(e, upstreams[e.Server])); err != nil {
			return err
		}
	}
	if left > 0 {
		fmt.Fprintf(notes, "%d entries of the table %s are left out, since they have no server, or one without an upstream\n", left, cli.Printable(chosen.Name))
	}
	return nil
}

// sessionOf returns the session that an entry stands for. One that is in use, or kept for ever, begins to expire now.
func sessionOf(e haproxy.Entry, upstream string) adminapi.ImportedSession {
	s := adminapi.ImportedSession{Client: e.Client.String(), Upstream: upstream}
	if e.Bounded {
		left := max(0, e.Left).Seconds()
		s.ExpiresIn = &left
	}
	return s
}

// chooseTable returns the table with a name or, without one, the only one that has clients.
func chooseTable(tables []*haproxy.Table, name string) (*haproxy.Table, error) {
	var names []string
	var used []*haproxy.Table
	for _, t := range tables {
		if t.Name == name {
			return t, nil
		}
		names = append(names, cli.Printable(t.Name))
		if len(t.Entries) > 0 {
			used = append(used, t)
		}
	}
	switch all := strings.Join(names, ", "); {
	case name != "":
		return nil, fmt.Errorf("--table: '%s' is not one of the tables %s", name, all)
	case len(used) > 1:
		return nil, fmt.Errorf("there are several tables; choose one of %s by --table", all)
	case len(used) == 1:
		return used[0], nil
	case len(tables) == 1 && tables[0].Others == 0:
		return tables[0], nil
	default:
		return nil, fmt.Errorf("no client sticks to a server in the tables %s", all)
	}
}
