package parse

import (
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

// WithDefaults returns the prefix with these lengths where none is given, and refuses what makes no sense.
func (p *ClientPrefix) WithDefaults(ipv4, ipv6 int) (*ClientPrefix, error) {
	complete := ClientPrefix{ipv4, ipv6}
	if p != nil && p.IPv4 != 0 {
		complete.IPv4 = p.IPv4
	}
	if p != nil && p.IPv6 != 0 {
		complete.IPv6 = p.IPv6
	}
	if bits := complete.IPv4; bits < 1 || bits > 32 {
		return nil, fmt.Errorf("client_prefix: %d is not a prefix length of IPv4, which is from 1 to 32", bits)
	}
	if bits := complete.IPv6; bits < 1 || bits > 128 {
		return nil, fmt.Errorf("client_prefix: %d is not a prefix length of IPv6, which is from 1 to 128", bits)
	}
	return &complete, nil
}

// Client returns the address that stands for all of the client, which has no zone. It is not valid for one that
// isn't.
func (p *ClientPrefix) Client(ip netip.Addr) netip.Addr {
	bits := p.IPv6
	if ip.Is4() {
		bits = p.IPv4
	}
	prefix, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return netip.Addr{}
	}
	return prefix.Addr()
}

// Prefix is an option with two prefix lengths, for IPv4 and IPv6.
func Prefix(dst **ClientPrefix) Option {
	return Option{Args: 2, Set: func(args []string) error {
		*dst = new(ClientPrefix)
		return Ints(&(*dst).IPv4, &(*dst).IPv6).Set(args)
	}}
}
