package command

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddy-sticky/caddy-sticky/command/internal/haproxy"
	"github.com/caddy-sticky/caddy-sticky/internal/cli"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
)

// A serverMap knows which upstreams of a pool the servers of a table are.
type serverMap struct {
	pool   adminapi.Pool
	flags  map[string]string // by the name or id; empty for one that is left out
	states []haproxy.ServerState
}

// addFlags takes what --server says.
func (m *serverMap) addFlags(flags []string) error {
	m.flags = make(map[string]string)
	for _, flag := range flags {
		server, address, found := strings.Cut(flag, "=")
		before, twice := m.flags[server]
		switch {
		case !found || server == "":
			return fmt.Errorf("--server: '%s' is not <name or id>=<address>", flag)
		case twice && before != address:
			return fmt.Errorf("--server: '%s' is given twice, with different addresses", server)
		case address != "" && m.upstream(address) == "":
			return fmt.Errorf("--server: the pool '%s' has no upstream '%s' that stands for one target; there are %s", cli.Printable(m.pool.Pool), address, m.upstreams())
		}
		m.flags[server] = address
	}
	return nil
}

// addStates takes the servers of the backend that a table belongs to, or of the only one.
func (m *serverMap) addStates(states []haproxy.ServerState, table string) error {
	backends := make(map[string][]haproxy.ServerState)
	for _, s := range states {
		backends[s.Backend] = append(backends[s.Backend], s)
	}
	m.states = backends[table]
	if m.states == nil && len(backends) == 1 {
		m.states = states
	}
	if m.states == nil && len(states) > 0 {
		return fmt.Errorf("--servers: the table '%s' is not one of the backends %s; give the answer to 'show servers state' for one backend", table, strings.Join(slices.Sorted(maps.Keys(backends)), ", "))
	}
	return nil
}

// resolve returns the upstreams of all servers that a table has, of which those are empty whose sessions are left out. It returns an error that
// lists the servers of which that is not known.
func (m *serverMap) resolve(t *haproxy.Table) (map[*haproxy.Server]string, error) {
	upstreams, unknown := make(map[*haproxy.Server]string), make(map[string]int)
	for _, e := range t.Entries {
		if _, known := upstreams[e.Server]; known {
			continue
		}
		if upstream, known := m.resolveServer(e.Server); known {
			upstreams[e.Server] = upstream
		} else {
			unknown[e.Server.String()]++
		}
	}
	if len(unknown) == 0 {
		return upstreams, nil
	}
	return nil, fmt.Errorf("it is not known which upstreams of the pool '%s' these servers are: %s; "+
		"add --servers with a file that has HAProxy's answer to 'show servers state', or --server NAME=ADDRESS for each, where the address is one of %s", cli.Printable(m.pool.Pool), countsOf(unknown), m.upstreams())
}

// resolveServer returns the upstream of a server. What --server says counts most, and the key of the table, which may be an address, least.
func (m *serverMap) resolveServer(s *haproxy.Server) (upstream string, known bool) {
	for _, name := range []string{s.Key, s.ID} {
		if address, given := m.flags[name]; given && name != "" {
			return m.upstream(address), true
		}
	}
	for _, state := range m.states {
		byAddress := state.ID == s.ID && (s.Key == "" || slices.Contains(state.Addresses, inConfigs(s.Key)))
		if state.Name != s.Key && !byAddress {
			continue
		}
		for _, address := range state.Addresses {
			if upstream := m.upstream(address); upstream != "" {
				return upstream, true
			}
		}
	}
	upstream = m.upstream(s.Key)
	return upstream, upstream != ""
}

// upstream returns the address of the target that is meant by an address as HAProxy or a flag has it, or an empty one if there is none.
func (m *serverMap) upstream(address string) string {
	var named []string
	for _, u := range m.pool.Upstreams {
		switch {
		case u.State == "removed":
		case u.Address == address, u.Address == inConfigs(address):
			return u.Address
		case u.Upstream == address, u.Upstream == inConfigs(address):
			named = append(named, u.Address)
		}
	}
	if len(named) == 1 {
		return named[0]
	}
	return ""
}

// upstreams lists the addresses of the pool's upstreams.
func (m *serverMap) upstreams() string {
	var all []string
	for _, u := range m.pool.Upstreams {
		all = append(all, cli.Printable(u.Address))
	}
	return strings.Join(all, ", ")
}

// inConfigs returns an address of HAProxy as it is in a config here. HAProxy has IPv6 without brackets, and a socket as its path.
func inConfigs(address string) string {
	if path := strings.TrimPrefix(address, "unix@"); strings.HasPrefix(path, "/") {
		return "unix/" + path
	}
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 {
		return address
	}
	host, port := strings.Trim(address[:colon], "[]"), address[colon+1:]
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return strings.ToLower(address)
	}
	return net.JoinHostPort(ip.Unmap().String(), port)
}
