package upstreams

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

func init() {
	caddy.RegisterModule(new(A))
}

// A has the addresses of a name, its A and AAAA records, as upstreams. That is what a name in `upstreams` does, with
// name servers, an interval and families of its own.
type A struct {
	// The name. Must be given.
	Name string `json:"name,omitempty"`

	// The port of all addresses. Must be given.
	Port string `json:"port,omitempty"`

	lookups

	// The families of the addresses that count: `ipv4`, `ipv6` or both. Default: both.
	Versions []string `json:"versions,omitempty"`

	upstream Upstream
}

// CaddyModule returns the Caddy module information.
func (*A) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".a",
		New: func() caddy.Module { return new(A) },
	}
}

func (a *A) table() parse.Options {
	return append(parse.Options{
		parse.String("name", &a.Name, "", parse.Required[string]("")).OnLine(),
		parse.String("port", &a.Port, "", parse.Required[string]("")).OnLine(),
		parse.Strings("versions", &a.Versions, "ipv4", "ipv6"),
	}, a.lookups.table()...)
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (a *A) UnmarshalJSON(data []byte) error {
	type plain A
	return a.table().ReadJSON(data, (*plain)(a))
}

// Provision checks the options.
func (a *A) Provision(caddy.Context) error {
	if err := a.table().SetDefaults(); err != nil {
		return err
	}
	name, err := hostOf("name", a.Name)
	if err != nil {
		return err
	}
	port, err := replaced("port", a.Port)
	if err != nil {
		return err
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port: '%s' is not from 1 to 65535", port)
	}
	network := "tcp/"
	if v4, v6 := slices.Contains(a.Versions, "ipv4"), slices.Contains(a.Versions, "ipv6"); v4 != v6 {
		network = map[bool]string{true: "tcp4/", false: "tcp6/"}[v4]
	}
	a.upstream = Upstream{Address: network + net.JoinHostPort(name, port)}
	return a.provision()
}

// Lookup returns the name, whose addresses LookupNetIP finds.
func (a *A) Lookup(context.Context) ([]Upstream, error) { return []Upstream{a.upstream}, nil }

// Interval returns the time between two look-ups.
func (a *A) Interval() time.Duration { return time.Duration(a.Refresh) }

// UnmarshalCaddyfile sets up the A from Caddyfile tokens. Syntax:
//
//	a <name> <port> {
//		refresh <duration>
//		resolvers <addresses...>
//		versions ipv4|ipv6 ...
//	}
func (a *A) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return a.table().ReadModule(d, "dynamic a")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*A)(nil)
	_ caddyfile.Unmarshaler = (*A)(nil)
	_ Source                = (*A)(nil)
	_ NameResolver          = (*A)(nil)
)
