package embedded

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// nameFunctions are what js/dns.js calls.
func (e *engine) nameFunctions() map[string]quickjs.Function {
	ask := func(call, host string, question func(context.Context) ([]any, error)) (any, error) {
		return e.background(e.netSlots, func(ctx context.Context) (any, error) {
			found, err := question(ctx)
			if err == nil && len(found) == 0 {
				err = errNoData
			}
			if err != nil {
				return nil, dnsError(err, call, host)
			}
			return found, nil
		})
	}
	return map[string]quickjs.Function{
		"lookup": func(a []any) (any, error) {
			host, network := a[0].(string), map[float64]string{0: "ip", 4: "ip4", 6: "ip6"}[a[1].(float64)]
			return ask("getaddrinfo", host, func(ctx context.Context) ([]any, error) { return lookup(ctx, host, network) })
		},
		"reverse": func(a []any) (any, error) {
			ip := a[0].(string)
			return ask("getHostByAddr", ip, func(ctx context.Context) ([]any, error) {
				names, err := net.DefaultResolver.LookupAddr(ctx, ip)
				return plain(names), err
			})
		},
		"records": func(a []any) (any, error) {
			host, kind := a[0].(string), a[1].(string)
			return ask("query"+kind[:1]+strings.ToLower(kind[1:]), host, func(ctx context.Context) ([]any, error) { return records(ctx, host, kind) })
		},
	}
}

// errNoData is that there is such a name, but nothing of what was asked for.
var errNoData = errors.New("no data")

// dnsError says what Node's own resolvers do: that of the system, which getaddrinfo asks, has numbers.
func dnsError(err error, call, host string) error {
	properties := struct {
		Errno    int    `json:"errno,omitempty"`
		Code     string `json:"code"`
		Syscall  string `json:"syscall"`
		Hostname string `json:"hostname"`
	}{0, "ESERVFAIL", call, host}
	var dns *net.DNSError
	found := errors.As(err, &dns)
	system := call == "getaddrinfo"
	switch {
	case system && (found && dns.IsNotFound || errors.Is(err, errNoData)):
		properties.Code, properties.Errno = "ENOTFOUND", -3008
	case system:
		properties.Code, properties.Errno = "EAI_AGAIN", -3001
	case found && dns.IsNotFound:
		properties.Code = "ENOTFOUND"
	case found && dns.IsTimeout:
		properties.Code = "ETIMEOUT"
	case errors.Is(err, errNoData):
		properties.Code = "ENODATA"
	}
	return &problem{errors.New(call + " " + properties.Code + " " + host), "Error", properties}
}

// lookup finds addresses, IPv4 first.
func lookup(ctx context.Context, host, network string) (found []any, err error) {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	var later []any
	for _, a := range addresses {
		if a = a.Unmap(); a.Is4() {
			found = append(found, map[string]any{"address": a.String(), "family": 4})
		} else {
			later = append(later, map[string]any{"address": a.String(), "family": 6})
		}
	}
	return append(found, later...), err
}

func records(ctx context.Context, host, kind string) (found []any, err error) {
	r := net.DefaultResolver
	switch kind {
	case "A", "AAAA":
		addresses, err := r.LookupNetIP(ctx, map[string]string{"A": "ip4", "AAAA": "ip6"}[kind], host)
		for _, a := range addresses {
			found = append(found, a.Unmap().String())
		}
		return found, err
	case "CNAME":
		name, err := r.LookupCNAME(ctx, host)
		return plain([]string{name}), err
	case "TXT":
		texts, err := r.LookupTXT(ctx, host)
		for _, text := range texts {
			found = append(found, []string{text})
		}
		return found, err
	case "NS":
		servers, err := r.LookupNS(ctx, host)
		for _, s := range servers {
			found = append(found, strings.TrimSuffix(s.Host, "."))
		}
		return found, err
	case "MX":
		servers, err := r.LookupMX(ctx, host)
		for _, s := range servers {
			found = append(found, map[string]any{"exchange": strings.TrimSuffix(s.Host, "."), "priority": s.Pref})
		}
		return found, err
	case "SRV":
		_, services, err := r.LookupSRV(ctx, "", "", host)
		for _, s := range services {
			found = append(found, map[string]any{
				"name": strings.TrimSuffix(s.Target, "."), "port": s.Port, "priority": s.Priority, "weight": s.Weight,
			})
		}
		return found, err
	}
	names, err := r.LookupAddr(ctx, host)
	return plain(names), err
}

// plain is a list of names without the dot at their end.
func plain(names []string) (found []any) {
	for _, name := range names {
		found = append(found, strings.TrimSuffix(name, "."))
	}
	return found
}
