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
			return ask("getHostByAddr", ip, func(ctx context.Context) (found []any, err error) {
				names, err := net.DefaultResolver.LookupAddr(ctx, ip)
				for _, name := range names {
					found = append(found, strings.TrimSuffix(name, "."))
				}
				return found, err
			})
		},
		"addresses": func(a []any) (any, error) {
			host, call, network := a[0].(string), "queryA", "ip4"
			if a[1] == 6.0 {
				call, network = "queryAaaa", "ip6"
			}
			return ask(call, host, func(ctx context.Context) (found []any, err error) {
				addresses, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
				for _, a := range addresses {
					found = append(found, a.Unmap().String())
				}
				return found, err
			})
		},
		"texts": func(a []any) (any, error) {
			host := a[0].(string)
			return ask("queryTxt", host, func(ctx context.Context) (found []any, err error) {
				texts, err := net.DefaultResolver.LookupTXT(ctx, host)
				for _, text := range texts {
					found = append(found, []string{text})
				}
				return found, err
			})
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
