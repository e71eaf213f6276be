package l4sticky

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// Upstream is a target to which clients stick.
type Upstream struct {
	// The address to dial: `host:port`, `[ipv6]:port` or `unix//path`. A name that has several addresses stands for as many
	// targets, and so does a range of ports such as `host:8000-8003`, of at most 1000 ports; the other options are those of
	// each. Global placeholders such as `{env.TARGET}` are replaced when the config is loaded.
	Dial string `json:"dial,omitempty"`

	// How large a share of the clients this target gets, relative to the others' weights, up to 65535. Zero means that it gets
	// no new clients, and that those which have a session there stay. Negative is an error. Default: 1.
	Weight *int `json:"weight,omitempty"`

	// The largest number of connections open to this target at a time, those being dialled included. A
	// client whose target is full moves to another one. Zero means no limit; negative is an error.
	// Default: no limit.
	MaxConnections int `json:"max_connections,omitempty"`

	// Takes clients only while no other target can. Default: false.
	Backup bool `json:"backup,omitempty"`

	// Whether the target gets no new clients, while those that have a session there stay, until they have been away for
	// longer than `session_expiry`. It may be taken out of the config then. Default: false.
	Drain bool `json:"drain,omitempty"`
}

// table returns the upstream's options. The weight is kept apart from its field, which is nil where none is given.
func (u *Upstream) table(weight *int) parse.Options {
	return parse.Options{
		parse.IntOrZero("weight", weight, parse.Between(0, target.MaxWeight)),
		parse.Int("max_connections", &u.MaxConnections, 0),
		parse.Flag("backup", &u.Backup),
		parse.Flag("drain", &u.Drain),
	}
}

// configs checks the upstream and returns it as the target set knows it: once for each port.
func (u *Upstream) configs() ([]target.Config, error) {
	addresses, err := dialAddresses(u.Dial)
	if err != nil {
		return nil, err
	}
	weight := 1
	if u.Weight != nil {
		weight = *u.Weight
	}
	if err := u.table(&weight).SetDefaults(); err != nil {
		return nil, fmt.Errorf("upstream %s: %w", u.Dial, err)
	}
	backup := 0
	if u.Backup {
		backup = 1
	}
	configs := make([]target.Config, 0, len(addresses))
	for _, a := range addresses {
		configs = append(configs, target.Config{Address: a, Weight: weight, MaxConnections: u.MaxConnections, Backup: backup, Drain: u.Drain})
	}
	return configs, nil
}

// dialAddress checks the address of one target, and returns it in one spelling, since a target is known by it.
func dialAddress(dial string) (target.Address, error) {
	addresses, err := dialAddresses(dial)
	switch {
	case err != nil:
		return target.Address{}, err
	case len(addresses) > 1:
		return target.Address{}, fmt.Errorf("upstream %s: a range of ports is not one target", dial)
	}
	return addresses[0], nil
}

// maxPorts is how many ports an upstream may have.
const maxPorts = 1000

// dialAddresses checks an upstream's address and returns those of its targets.
func dialAddresses(dial string) (all []target.Address, err error) {
	if dial == "" {
		return nil, errors.New("upstream '': an address is missing")
	}
	replaced, err := caddy.NewReplacer().ReplaceOrErr(dial, true, true)
	if err != nil {
		return nil, fmt.Errorf("upstream %s: %w", dial, err)
	}
	address, err := caddy.ParseNetworkAddress(replaced)
	if err != nil {
		if _, port, found := strings.Cut(replaced[max(0, strings.LastIndexByte(replaced, ':')):], ":"); found && strings.Contains(err.Error(), "port") {
			err = fmt.Errorf("'%s' is not a port from 1 to 65535, or a range of ports", port)
		}
		return nil, fmt.Errorf("upstream %s: %w", dial, err)
	}
	switch {
	case address.Network == "unix" && address.Host == "":
		return nil, fmt.Errorf("upstream %s: the path of a socket is missing", dial)
	case address.Network == "unix" && strings.Contains(address.Host, "|"):
		return nil, fmt.Errorf("upstream %s: permissions are for listeners", dial)
	case address.Network == "unix":
		return []target.Address{{Network: "unix", Dial: address.Host}}, nil
	case address.Network != "tcp" && address.Network != "tcp4" && address.Network != "tcp6":
		return nil, fmt.Errorf("upstream %s: the network '%s' is not one of tcp, tcp4, tcp6, unix", dial, address.Network)
	case address.PortRangeSize() > maxPorts:
		return nil, fmt.Errorf("upstream %s: %d ports are more than %d", dial, address.PortRangeSize(), maxPorts)
	case address.StartPort == 0:
		return nil, fmt.Errorf("upstream %s: a port from 1 to 65535 is missing", dial)
	case address.Host != "" && !parse.IsHost(address.Host):
		return nil, fmt.Errorf("upstream %s: the host '%s' is neither an IP address nor a name", dial, address.Host)
	}
	network, host := address.Network, strings.ToLower(address.Host)
	if ip, err := netip.ParseAddr(address.Host); err == nil {
		ip = ip.Unmap()
		if network == "tcp4" && !ip.Is4() || network == "tcp6" && ip.Is4() {
			return nil, fmt.Errorf("upstream %s: %v is not an address of %s", dial, ip, network)
		}
		network, host = "tcp", ip.String()
	}
	for port := address.StartPort; ; port++ {
		all = append(all, target.Address{Network: network, Dial: net.JoinHostPort(host, strconv.Itoa(int(port)))})
		if port == address.EndPort {
			return all, nil
		}
	}
}

// UnmarshalCaddyfile sets up the Upstream from Caddyfile tokens. Syntax:
//
//	upstream <address> {
//		weight <number>
//		max_connections <number>
//		backup
//		drain
//	}
func (u *Upstream) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	const name = "sticky_proxy upstream"
	if !d.NextArg() {
		return d.WrapErr(errors.New(name + ": an address is missing"))
	}
	u.Dial = d.Val()
	if err := checkDial(d, name); err != nil {
		return err
	}
	if d.NextArg() {
		return d.Errf("%s %s: '%s' is one address too many; give each upstream its own line", name, u.Dial, d.Val())
	}
	weight := -1
	err := u.table(&weight).ReadBlock(d, name)
	if weight >= 0 {
		u.Weight = &weight
	}
	return err
}

var _ caddyfile.Unmarshaler = (*Upstream)(nil)
