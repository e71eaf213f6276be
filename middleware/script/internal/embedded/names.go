package embedded

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// nameFunctions are what js/dns.js calls. A question is named as Node names it in errors.
func (e *engine) nameFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"ask": func(a []any) (any, error) {
			question, host := a[0].(string), a[1].(string)
			network := map[any]string{4.0: "ip4", 6.0: "ip6"}[a[2]]
			return e.background(e.netSlots, func(ctx context.Context) (any, error) {
				found, err := answers(ctx, question, host, network)
				if err != nil || len(found) == 0 {
					return nil, nameError(err, question, host)
				}
				return found, nil
			})
		},
	}
}

// answers are what the system's resolver finds: addresses, IPv4 first, names without the dot at their end, or texts.
func answers(ctx context.Context, question, host, network string) (found []any, err error) {
	r := net.DefaultResolver
	switch question {
	case "getHostByAddr":
		names, err := r.LookupAddr(ctx, host)
		return listOf(names, func(name string) any { return strings.TrimSuffix(name, ".") }), err
	case "queryTxt":
		texts, err := r.LookupTXT(ctx, host)
		return listOf(texts, func(text string) any { return []string{text} }), err
	}
	if network == "" {
		network = "ip"
	}
	addresses, err := r.LookupNetIP(ctx, network, host)
	slices.SortStableFunc(addresses, func(a, b netip.Addr) int { return a.Unmap().BitLen() - b.Unmap().BitLen() })
	return listOf(addresses, func(a netip.Addr) any { return a.Unmap().String() }), err
}

func listOf[T any](all []T, write func(T) any) (list []any) {
	for _, one := range all {
		list = append(list, write(one))
	}
	return list
}

// nameError says what Node's own resolvers do: that of the system, which getaddrinfo asks, has numbers. Without an error, there
// is such a name, but nothing of what was asked for.
func nameError(err error, question, host string) error {
	var dns *net.DNSError
	isDNS := errors.As(err, &dns)
	code, properties := "ESERVFAIL", map[string]any{"syscall": question, "hostname": host}
	switch missing := err == nil || isDNS && dns.IsNotFound; {
	case question == "getaddrinfo" && missing:
		code, properties["errno"] = "ENOTFOUND", -3008
	case question == "getaddrinfo":
		code, properties["errno"] = "EAI_AGAIN", -3001
	case err == nil:
		code = "ENODATA"
	case missing:
		code = "ENOTFOUND"
	case isDNS && dns.IsTimeout:
		code = "ETIMEOUT"
	}
	properties["code"] = code
	return &problem{errors.New(question + " " + code + " " + host), "Error", properties}
}
