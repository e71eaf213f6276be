package embedded

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// nameFunctions are what js/dns.js calls. A question is named as Node names it in errors.
func (e *engine) nameFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"ask": func(a []any) (any, error) {
			question, host := kept(a[0]), kept(a[1])
			network := map[any]string{4.0: "ip4", 6.0: "ip6"}[a[2]]
			return e.background(e.netSlots, func(ctx context.Context) (any, error) {
				found, err := answers(ctx, question, host, network)
				if err != nil || len(found) == 0 {
					return nil, nameError(err, question, host)
				}
				return found, nil
			}, a[3])
		},
	}
}

// answers are what the system's resolver finds: addresses, IPv4 first, names with the dot at their end, or texts.
func answers(ctx context.Context, question, host, network string) (found []string, err error) {
	switch r := net.DefaultResolver; question {
	case "getHostByAddr":
		return r.LookupAddr(ctx, host)
	case "queryTxt":
		return r.LookupTXT(ctx, host)
	default:
		addresses, err := r.LookupNetIP(ctx, cmp.Or(network, "ip"), host)
		slices.SortStableFunc(addresses, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
		for _, a := range addresses {
			found = append(found, a.Unmap().String())
		}
		return found, err
	}
}

// nameError has Node's code for what kept a resolver from an answer. Without an error, there is such a name, but nothing of what
// was asked for.
func nameError(err error, question, host string) error {
	var dns *net.DNSError
	isDNS := errors.As(err, &dns)
	code := "ESERVFAIL"
	switch {
	case err == nil || isDNS && dns.IsNotFound:
		code = "ENOTFOUND"
	case question == "getaddrinfo":
		code = "EAI_AGAIN"
	case isDNS && dns.IsTimeout:
		code = "ETIMEOUT"
	}
	properties := map[string]any{"code": code, "syscall": question, "hostname": host}
	return &problem{errors.New(question + " " + code + " " + host), "Error", properties}
}
