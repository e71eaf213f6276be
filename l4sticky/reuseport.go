package l4sticky

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-sticky/caddy-sticky/internal/portowner"
)

// reusers counts the handlers with the option reuse_port by their config, which its metrics registry identifies.
var reusers = struct {
	sync.Mutex
	count map[*prometheus.Registry]int
}{count: make(map[*prometheus.Registry]int)}

// reusePorts notes that a handler with reuse_port is in the config, or with -1 that it is no more.
func reusePorts(config *prometheus.Registry, handlers int) {
	reusers.Lock()
	defer reusers.Unlock()
	if reusers.count[config] += handlers; reusers.count[config] == 0 {
		delete(reusers.count, config)
	}
}

// reusesPorts reports whether the config for which a listener is opened may share its ports with other processes.
func reusesPorts(ctx context.Context) bool {
	config, ok := ctx.(caddy.Context)
	if !ok {
		return false
	}
	reusers.Lock()
	defer reusers.Unlock()
	return reusers.count[config.GetMetricsRegistry()] > 0
}

// refusingSharedPorts returns a config that does not listen where another process does. It looks when the name of
// the address has been resolved, and before the socket is bound, so that no client gets there by mistake.
func refusingSharedPorts(config net.ListenConfig) net.ListenConfig {
	control := config.Control
	config.Control = func(network, address string, raw syscall.RawConn) error {
		bound, err := boundTo(network, address)
		if err != nil {
			return fmt.Errorf("looking who listens there: %w", err)
		}
		if other := portowner.Other(bound, isV6Only(raw)); other != nil {
			return fmt.Errorf("%v listens there already; reuse_port on shares the port with it", other)
		}
		if control == nil {
			return nil
		}
		return control(network, address, raw)
	}
	return config
}

// boundTo returns the address that a socket is going to have. Where it is one of every host, none is named.
func boundTo(network, address string) (netip.AddrPort, error) {
	if strings.HasPrefix(address, ":") {
		everyHost := map[string]string{"tcp4": "0.0.0.0", "tcp6": "[::]"}[network]
		address = everyHost + address
	}
	return netip.ParseAddrPort(address)
}
