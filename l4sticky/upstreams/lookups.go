package upstreams

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
)

// lookups are the options of sources that ask name servers.
type lookups struct {
	// The time between two look-ups, at least `1s`. Zero means the default; negative is an error.
	// Default: the `resolve_interval` of the handler.
	Refresh caddy.Duration `json:"refresh,omitempty"`

	// The name servers to ask, by their IP addresses, with a port if that is not 53. One after the other is asked until one
	// answers. Default: those of the system.
	Resolvers []string `json:"resolvers,omitempty"`

	resolver *names.Resolver
}

func (l *lookups) table() parse.Options {
	return parse.Options{
		parse.Duration("refresh", &l.Refresh, 0, checkRefresh),
		parse.Strings("resolvers", &l.Resolvers),
	}
}

func checkRefresh(d caddy.Duration) error {
	if d != 0 && time.Duration(d) < names.MinPause {
		return fmt.Errorf("%v is less than %v", time.Duration(d), names.MinPause)
	}
	return nil
}

// provision makes the resolver.
func (l *lookups) provision() error {
	var servers []string
	for _, given := range l.Resolvers {
		server, err := replaced("resolvers", given)
		if err != nil {
			return err
		}
		at, err := netip.ParseAddrPort(server)
		if err != nil {
			ip, err := netip.ParseAddr(server)
			if err != nil {
				return fmt.Errorf("resolvers: '%s' is not an IP address, nor one with a port", server)
			}
			at = netip.AddrPortFrom(ip, 53)
		}
		servers = append(servers, at.String())
	}
	l.resolver = names.NewResolver(servers...)
	return nil
}

// LookupNetIP returns the addresses of a host.
func (l *lookups) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return l.resolver.LookupNetIP(ctx, network, host)
}

// replaced returns the value of an option with its global placeholders replaced.
func replaced(option, value string) (string, error) {
	value, err := caddy.NewReplacer().ReplaceOrErr(value, true, true)
	if err != nil {
		return "", fmt.Errorf("%s: %w", option, err)
	}
	return value, nil
}

// hostOf is replaced for an option that is a name.
func hostOf(option, value string) (string, error) {
	name, err := replaced(option, value)
	if err == nil && !parse.IsHost(name) {
		err = fmt.Errorf("%s: '%s' is not a name", option, name)
	}
	return name, err
}
