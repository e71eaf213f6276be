package embedded

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/dop251/goja"
)

// The answers of the resolver, to be made JavaScript's on the event loop.
type (
	record  map[string]any
	answers []any
)

func (e *engine) dnsBinding() map[string]any {
	_, _, invalid := errnoOf(syscall.EINVAL)
	return map[string]any{
		"EINVAL": invalid,
		"lookup": func(call goja.FunctionCall) goja.Value {
			host, family := call.Argument(0).String(), call.Argument(1).ToInteger()
			return e.ask(call.Argument(2), "getaddrinfo", host, func(ctx context.Context) (answers, error) {
				return lookup(ctx, host, family)
			})
		},
		"reverse": func(call goja.FunctionCall) goja.Value {
			ip := call.Argument(0).String()
			return e.ask(call.Argument(1), "getHostByAddr", ip, func(ctx context.Context) (answers, error) {
				names, err := net.DefaultResolver.LookupAddr(ctx, ip)
				return plain(names), err
			})
		},
		"resolve": func(call goja.FunctionCall) goja.Value {
			host, kind := call.Argument(0).String(), call.Argument(1).String()
			return e.ask(call.Argument(2), "query"+kind[:1]+strings.ToLower(kind[1:]), host, func(ctx context.Context) (answers, error) {
				return resolveRecords(ctx, host, kind)
			})
		},
	}
}

// ask asks the resolver in the background and gives the callback what it says.
func (e *engine) ask(callback goja.Value, call, host string, question func(context.Context) (answers, error)) goja.Value {
	f, ok := goja.AssertFunction(callback)
	if !ok {
		panic(e.vm.NewTypeError("The \"callback\" argument must be of type function."))
	}
	e.background(e.netSlots, func(ctx context.Context) func() {
		found, err := question(ctx)
		if err == nil && len(found) == 0 {
			err = errNoData
		}
		return func() {
			if err != nil {
				e.call(f, goja.Undefined(), e.dnsError(err, call, host))
				return
			}
			list := make([]any, len(found))
			for i, one := range found {
				list[i] = e.recordValue(one)
			}
			e.call(f, goja.Undefined(), goja.Null(), e.vm.NewArray(list...))
		}
	})
	return goja.Undefined()
}

func (e *engine) recordValue(one any) goja.Value {
	switch v := one.(type) {
	case record:
		object := e.vm.NewObject()
		for _, key := range slices.Sorted(maps.Keys(v)) { // as in Node, and always the same
			_ = object.Set(key, v[key])
		}
		return object
	case []string:
		return e.vm.NewArray([]any(plain(v))...)
	}
	return e.vm.ToValue(one)
}

// errNoData is that there is such a name, but nothing of what was asked for.
var errNoData = errors.New("no data")

// dnsError says what Node's own resolvers do: that of the system, which getaddrinfo asks, has numbers.
func (e *engine) dnsError(err error, call, host string) goja.Value {
	code, number := "ESERVFAIL", 0
	var dns *net.DNSError
	found := errors.As(err, &dns)
	system := call == "getaddrinfo"
	switch {
	case system && (found && dns.IsNotFound || errors.Is(err, errNoData)):
		code, number = "ENOTFOUND", -3008
	case system:
		code, number = "EAI_AGAIN", -3001
	case found && dns.IsNotFound:
		code = "ENOTFOUND"
	case found && dns.IsTimeout:
		code = "ETIMEOUT"
	case errors.Is(err, errNoData):
		code = "ENODATA"
	}
	object := e.makeError("Error", call+" "+code+" "+host)
	if number != 0 {
		_ = object.Set("errno", number)
	}
	_ = object.Set("code", code)
	_ = object.Set("syscall", call)
	_ = object.Set("hostname", host)
	return object
}

// lookup finds addresses of a family, or of any if that is 0, IPv4 first.
func lookup(ctx context.Context, host string, family int64) (found answers, err error) {
	network := map[int64]string{0: "ip", 4: "ip4", 6: "ip6"}[family]
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, network, host)
	if err != nil {
		return nil, err
	}
	var later answers
	for _, a := range addresses {
		if a = a.Unmap(); a.Is4() {
			found = append(found, record{"address": a.String(), "family": 4})
		} else {
			later = append(later, record{"address": a.String(), "family": 6})
		}
	}
	return append(found, later...), nil
}

func resolveRecords(ctx context.Context, host, kind string) (found answers, err error) {
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
			found = append(found, record{"exchange": strings.TrimSuffix(s.Host, "."), "priority": int(s.Pref)})
		}
		return found, err
	case "SRV":
		_, services, err := r.LookupSRV(ctx, "", "", host)
		for _, s := range services {
			found = append(found, record{
				"name": strings.TrimSuffix(s.Target, "."), "port": int(s.Port), "priority": int(s.Priority), "weight": int(s.Weight),
			})
		}
		return found, err
	}
	names, err := r.LookupAddr(ctx, host)
	return plain(names), err
}

// plain is a list of names without the dot at their end.
func plain(names []string) (found answers) {
	for _, name := range names {
		found = append(found, strings.TrimSuffix(name, "."))
	}
	return found
}
