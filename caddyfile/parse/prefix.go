package parse

import (
	"cmp"
	"fmt"
	"net/netip"
)

// ClientPrefix holds the prefix lengths in bits that make a client of addresses.
type ClientPrefix struct {
	// From 1 to 32; 24 makes all of a.b.c.0/24 one client. Zero means the default; anything else is an
	// error.
	IPv4 int `json:"ipv4,omitempty"`

	// From 1 to 128; 64 makes what a household usually gets one client. Zero means the default;
	// anything else is an error.
	IPv6 int `json:"ipv6,omitempty"`
}

// Prefix is an option with two prefix lengths, for IPv4 and IPv6, each with its default.
func Prefix(name string, field **ClientPrefix, ipv4, ipv6 int) Option {
	return Option{
		name: name,
		args: 2,
		set: func(args []string) error {
			v4, err := parseInt(1)(args[0])
			if err != nil {
				return err
			}
			v6, err := parseInt(1)(args[1])
			*field = &ClientPrefix{v4, v6}
			return err
		},
		complete: func() error {
			p := ClientPrefix{ipv4, ipv6}
			if given := *field; given != nil {
				p = ClientPrefix{cmp.Or(given.IPv4, ipv4), cmp.Or(given.IPv6, ipv6)}
			}
			*field = &p
			switch {
			case p.IPv4 < 1 || p.IPv4 > 32:
				return fmt.Errorf("%d is not a prefix length of IPv4, which is from 1 to 32", p.IPv4)
			case p.IPv6 < 1 || p.IPv6 > 128:
				return fmt.Errorf("%d is not a prefix length of IPv6, which is from 1 to 128", p.IPv6)
			}
			return nil
		},
		value: func() any { return **field },
	}
}

// Bits returns the length of the prefix for the address.
func (p *ClientPrefix) Bits(ip netip.Addr) int {
	if ip.Is4() {
		return p.IPv4
	}
	return p.IPv6
}

// Client returns the address that stands for all of the client, which has no zone. It returns an invalid address for an
// invalid one.
func (p *ClientPrefix) Client(ip netip.Addr) netip.Addr {
	return netip.PrefixFrom(ip, p.Bits(ip)).Masked().Addr()
}
