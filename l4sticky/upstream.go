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
	// The address to dial: `host:port`, `[ipv6]:port` or `unix//path`. A name is resolved at each dial.
	// Global placeholders such as `{env.TARGET}` are replaced when the config is loaded; ranges of
	// ports are an error.
	Dial string `json:"dial,omitempty"`

	// How large a share of the clients this target gets, relative to the others' weights. At least 1.
	// Default: 1.
	Weight *int `json:"weight,omitempty"`

	// The largest number of connections open to this target at a time, those being dialled included. A
	// client whose target is full moves to another one. Zero means no limit; negative is an error.
	// Default: no limit.
	MaxConnections int `json:"max_connections,omitempty"`

	// Takes clients only while no other target can. Default: false.
	Backup bool `json:"backup,omitempty"`
}

// table returns the upstream's options. The weight is kept apart from its field, which is nil where none is given: an
// explicit zero is refused.
func (u *Upstream) table(weight *int) parse.Options {
	return parse.Options{
		parse.Int("weight", weight, 0, parse.Between(1, target.MaxWeight)),
		parse.Int("max_connections", &u.MaxConnections, 0),
		parse.Flag("backup", &u.Backup),
	}
}

// config checks the upstream and returns it as the target set knows it.
func (u *Upstream) config() (target.Config, error) {
	address, err := dialAddress(u.Dial)
	if err != nil {
		return target.Config{}, err
	}
	weight := 1
	if u.Weight != nil {
		weight = *u.Weight
	}
	if err := u.table(&weight).SetDefaults(); err != nil {
		return target.Config{}, fmt.Errorf("upstream %s: %w", u.Dial, err)
	}
	return target.Config{Address: address, Weight: weight, MaxConnections: u.MaxConnections, Backup: u.Backup}, nil
}

// dialAddress checks an upstream's address and returns it in one spelling, since a target is known by it.
func dialAddress(dial string) (target.Address, error) {
	var none target.Address
	if dial == "" {
		return none, errors.New("upstream '': an address is missing")
	}
	replaced, err := caddy.NewReplacer().ReplaceOrErr(dial, true, true)
	if err != nil {
		return none, fmt.Errorf("upstream %s: %w", dial, err)
	}
	address, err := caddy.ParseNetworkAddress(replaced)
	if err != nil {
		return none, fmt.Errorf("upstream %s: %w", dial, err)
	}
	switch {
	case address.Network == "unix" && address.Host == "":
		return none, fmt.Errorf("upstream %s: the path of a socket is missing", dial)
	case address.Network == "unix" && strings.Contains(address.Host, "|"):
		return none, fmt.Errorf("upstream %s: permissions are for listeners", dial)
	case address.Network == "unix":
		return target.Address{Network: "unix", Dial: address.Host}, nil
	case address.Network != "tcp" && address.Network != "tcp4" && address.Network != "tcp6":
		return none, fmt.Errorf("upstream %s: the network '%s' is not one of tcp, tcp4, tcp6, unix", dial, address.Network)
	case address.PortRangeSize() != 1:
		return none, fmt.Errorf("upstream %s: a range of ports is not one target", dial)
	case address.StartPort == 0:
		return none, fmt.Errorf("upstream %s: a port from 1 to 65535 is missing", dial)
	case address.Host != "" && !parse.IsHost(address.Host):
		return none, fmt.Errorf("upstream %s: the host '%s' is neither an IP address nor a name", dial, address.Host)
	}
	network, host := address.Network, strings.ToLower(address.Host)
	if ip, err := netip.ParseAddr(address.Host); err == nil {
		ip = ip.Unmap()
		if network == "tcp4" && !ip.Is4() || network == "tcp6" && ip.Is4() {
			return none, fmt.Errorf("upstream %s: %v is not an address of %s", dial, ip, network)
		}
		network, host = "tcp", ip.String()
	}
	return target.Address{Network: network, Dial: net.JoinHostPort(host, strconv.Itoa(int(address.StartPort)))}, nil
}

// UnmarshalCaddyfile sets up the Upstream from Caddyfile tokens. Syntax:
//
//	upstream <address> {
//		weight <number>
//		max_connections <number>
//		backup
//	}
func (u *Upstream) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	const name = "sticky_proxy upstream"
	if !d.NextArg() {
		return d.WrapErr(errors.New(name + ": an address is missing"))
	}
	u.Dial = d.Val()
	if d.NextArg() {
		return d.Errf("%s %s: '%s' is one address too many; give each upstream its own line", name, u.Dial, d.Val())
	}
	weight := 0
	err := u.table(&weight).ReadBlock(d, name)
	if weight > 0 {
		u.Weight = &weight
	}
	return err
}

var _ caddyfile.Unmarshaler = (*Upstream)(nil)
