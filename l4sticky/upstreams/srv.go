package upstreams

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

func init() {
	caddy.RegisterModule(new(SRV))
}

// SRV has the SRV records of a name (RFC 2782) as upstreams: the target and port of each are an upstream's address, and its weight is
// the upstream's. Those of the lowest priority take the clients; those of each higher one are backups for when none of a lower
// one can.
type SRV struct {
	// The name, such as `_ldap._tcp.example.com`, or `example.com` with `service` and `proto`. Must be given.
	Name string `json:"name,omitempty"`

	// The service, such as `ldap`, if `name` does not have it. Default: none.
	Service string `json:"service,omitempty"`

	// The protocol of the service. Must be given with `service`, and only then. Default: none.
	Proto string `json:"proto,omitempty"`

	lookups
}

// CaddyModule returns the Caddy module information.
func (*SRV) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  Namespace + ".srv",
		New: func() caddy.Module { return new(SRV) },
	}
}

func (s *SRV) table() parse.Options {
	return append(parse.Options{
		parse.String("name", &s.Name, "", parse.Required[string]("")).OnLine(),
		parse.String("service", &s.Service, ""),
		parse.String("proto", &s.Proto, ""),
	}, s.lookups.table()...)
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (s *SRV) UnmarshalJSON(data []byte) error {
	type plain SRV
	return s.table().ReadJSON(data, (*plain)(s))
}

// Provision checks the options.
func (s *SRV) Provision(caddy.Context) (err error) {
	if err := s.table().SetDefaults(); err != nil {
		return err
	}
	if (s.Service == "") != (s.Proto == "") {
		return errors.New("service, proto: one is given without the other")
	}
	if s.Name, err = hostOf("name", s.Name); err != nil {
		return err
	}
	if s.Service, err = replaced("service", s.Service); err != nil {
		return err
	}
	if s.Proto, err = replaced("proto", s.Proto); err != nil {
		return err
	}
	return s.provision()
}

// errNoService is the error of a name whose only record says that there is no such service.
var errNoService = errors.New("the only SRV record says that the service is not available")

// Lookup returns the upstreams of the records.
func (s *SRV) Lookup(ctx context.Context) ([]Upstream, error) {
	records, err := s.resolver.LookupSRV(ctx, s.Service, s.Proto, s.Name)
	if len(records) == 1 && records[0].Target == "." {
		return nil, errNoService
	}
	return fromRecords(records), err
}

// fromRecords makes upstreams of SRV records. A weight of 0, which means that a record is to be taken seldom or never while
// others have more, counts as 1: targets seldom have weights under 10, and beside each other such records are equal.
func fromRecords(records []*net.SRV) []Upstream {
	var priorities []uint16
	for _, r := range records {
		priorities = append(priorities, r.Priority)
	}
	slices.Sort(priorities)
	priorities = slices.Compact(priorities)
	upstreams := make([]Upstream, 0, len(records))
	for _, r := range records {
		backup, _ := slices.BinarySearch(priorities, r.Priority)
		upstreams = append(upstreams, Upstream{
			Address: net.JoinHostPort(strings.TrimSuffix(r.Target, "."), strconv.Itoa(int(r.Port))),
			Weight:  max(1, int(r.Weight)),
			Backup:  backup,
		})
	}
	return upstreams
}

// LookupNetIP returns the addresses of a record's target, which is a whole name: the search list is not for it.
func (s *SRV) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return s.resolver.LookupNetIP(ctx, network, host+".")
}

// Interval returns the time between two look-ups.
func (s *SRV) Interval() time.Duration { return time.Duration(s.Refresh) }

// UnmarshalCaddyfile sets up the SRV from Caddyfile tokens. Syntax:
//
//	srv <name> {
//		service <name>
//		proto <name>
//		refresh <duration>
//		resolvers <addresses...>
//	}
func (s *SRV) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return s.table().ReadModule(d, "dynamic srv")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*SRV)(nil)
	_ caddyfile.Unmarshaler = (*SRV)(nil)
	_ Source                = (*SRV)(nil)
	_ NameResolver          = (*SRV)(nil)
)
