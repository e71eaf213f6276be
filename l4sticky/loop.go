package l4sticky

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// lookupTimeout is how long a config may wait for the addresses of an upstream that may be one of its own listeners.
const lookupTimeout = 2 * time.Second

// refuseLoops returns an error if an upstream of a sticky_proxy is the address of a layer4 server of the same config from
// which connections come back to it: they would go round until no descriptor is left.
func refuseLoops(ctx caddy.Context) error {
	return newLayout(rawApp(ctx, "layer4")).loop()
}

// rawApp returns the JSON of an app that is being provisioned, which Caddy keeps until that is done, but does not export. It
// is empty if Caddy has it no more in this way.
func rawApp(ctx caddy.Context, name string) json.RawMessage {
	config := reflect.ValueOf(ctx).FieldByName("cfg")
	if config.Kind() != reflect.Pointer || config.IsNil() {
		return nil
	}
	apps := config.Elem().FieldByName("AppsRaw")
	if !apps.IsValid() || apps.Type() != reflect.TypeFor[caddy.ModuleMap]() {
		return nil
	}
	if raw := apps.MapIndex(reflect.ValueOf(name)); raw.IsValid() {
		return raw.Bytes()
	}
	return nil
}

// A layout is which servers of a config lead to which, by the addresses of their upstreams.
type layout struct {
	names   []string
	servers map[string]*serverLayout
}

type serverLayout struct {
	listen    []caddy.NetworkAddress
	upstreams []upstreamLayout
}

// An upstreamLayout is one dial address of a handler.
type upstreamLayout struct {
	dial   string
	sticky bool // of a sticky_proxy
}

// newLayout reads the layout from the JSON of the layer4 app, which layer4 has read before.
func newLayout(raw json.RawMessage) *layout {
	var app struct {
		Servers map[string]struct {
			Listen []string `json:"listen"`
			Routes any      `json:"routes"`
		} `json:"servers"`
	}
	_ = json.Unmarshal(raw, &app)
	l := &layout{names: slices.Sorted(maps.Keys(app.Servers)), servers: make(map[string]*serverLayout)}
	for name, server := range app.Servers {
		s := new(serverLayout)
		for _, listen := range server.Listen {
			if address, err := caddy.ParseNetworkAddress(caddy.NewReplacer().ReplaceAll(listen, "")); err == nil {
				s.listen = append(s.listen, address)
			}
		}
		s.collect(server.Routes)
		l.servers[name] = s
	}
	return l
}

// collect gathers the upstreams of all proxies in a piece of a config.
func (s *serverLayout) collect(value any) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			s.collect(element)
		}
	case map[string]any:
		if name := v["handler"]; name == "sticky_proxy" || name == "proxy" {
			upstreams, _ := v["upstreams"].([]any)
			for _, u := range upstreams {
				s.addUpstream(u, name == "sticky_proxy")
			}
			return
		}
		for _, element := range v {
			s.collect(element)
		}
	}
}

func (s *serverLayout) addUpstream(value any, sticky bool) {
	upstream, _ := value.(map[string]any)
	switch dial := upstream["dial"].(type) {
	case string:
		s.upstreams = append(s.upstreams, upstreamLayout{dial, sticky})
	case []any:
		for _, one := range dial {
			if text, ok := one.(string); ok {
				s.upstreams = append(s.upstreams, upstreamLayout{text, sticky})
			}
		}
	}
}

// loop returns an error that names the first upstream of a sticky_proxy that leads back to its server.
func (l *layout) loop() error {
	next := make(map[string]map[string]bool) // from server to server
	for _, name := range l.names {
		next[name] = make(map[string]bool)
		for _, u := range l.servers[name].upstreams {
			for _, to := range l.listeners(u.dial) {
				next[name][to] = true
			}
		}
	}
	for _, name := range l.names {
		for _, u := range l.servers[name].upstreams {
			if !u.sticky {
				continue
			}
			for _, to := range l.listeners(u.dial) {
				if reaches(next, to, name, make(map[string]bool)) {
					return fmt.Errorf("upstream %s: this is an address of server '%s' in this config, from where connections come back to server '%s'; "+
						"they would go round without end", u.dial, to, name)
				}
			}
		}
	}
	return nil
}

// reaches reports whether connections can get from a server to another one.
func reaches(next map[string]map[string]bool, from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	seen[from] = true
	for server := range next[from] {
		if !seen[server] && reaches(next, server, to, seen) {
			return true
		}
	}
	return false
}

// listeners returns the servers that listen on an address.
func (l *layout) listeners(dial string) (names []string) {
	addresses, err := dialAddresses(dial)
	if err != nil {
		return nil // which is told by the upstream's own check
	}
	for _, name := range l.names {
		served := func(address target.Address) bool {
			return slices.ContainsFunc(l.servers[name].listen, func(listen caddy.NetworkAddress) bool { return isServed(address, listen) })
		}
		if slices.ContainsFunc(addresses, served) {
			names = append(names, name)
		}
	}
	return names
}

// isServed reports whether a dial to the address comes to what listens there.
func isServed(address target.Address, listen caddy.NetworkAddress) bool {
	if address.Network == "unix" || listen.IsUnixNetwork() {
		return address.Network == "unix" && listen.Network == "unix" && address.Dial == listen.Host
	}
	host, port, ok := address.Split()
	if !ok || uint(port) < listen.StartPort || uint(port) > listen.EndPort || listen.IsFdNetwork() || listen.Network == "udp" {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	for _, to := range hostIPs(ctx, host, "127.0.0.1") {
		for _, at := range hostIPs(ctx, listen.Host, "::") {
			if to == at || at.IsUnspecified() && isOwnIP(to) && (at.Is6() || to.Is4()) {
				return true
			}
		}
	}
	return false
}

// hostIPs returns the addresses of a host, which may be empty.
func hostIPs(ctx context.Context, host, empty string) []netip.Addr {
	if host == "" {
		host = empty
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil
	}
	for i, ip := range ips {
		ips[i] = ip.Unmap()
	}
	return ips
}

// isOwnIP reports whether an address is this machine's.
func isOwnIP(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(own, func(address net.Addr) bool {
		prefix, err := netip.ParsePrefix(address.String())
		return err == nil && prefix.Addr().Unmap() == ip.Unmap().WithZone("")
	})
}
