package target

import (
	"net/netip"
	"slices"
)

// MaxWeight is the largest weight of a target.
const MaxWeight = 65535

// Config is a target with its settings in one config.
type Config struct {
	// Address is that by which the target is placed, and by which a reader knows it.
	Address Address
	// At is where the target is dialled: one address of each family at most, the IPv4 one first. If both are zero, Address tells.
	At [2]netip.AddrPort
	// Upstream is the upstream of the config to which the target belongs, if that is known by another address.
	Upstream Address
	// Weight is the target's share of the clients, up to MaxWeight. With 0 no new client is placed there.
	Weight int
	// MaxConnections is the limit of open connections; 0 means that there is none.
	MaxConnections int
	// Backup, if not 0, means that the target gets clients only while no target with a lower number is usable.
	Backup int
	// Drain means that no new client is placed there.
	Drain bool
}

// Differences returns the names of the options in which two configs of a target differ.
func (c Config) Differences(other Config) (names []string) {
	for name, differs := range map[string]bool{
		"weight":          c.Weight != other.Weight,
		"max_connections": c.MaxConnections != other.MaxConnections,
		"backup":          c.Backup != other.Backup,
		"drain":           c.Drain != other.Drain,
	} {
		if differs {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// key returns the address by which the registry knows the target. It is the same for all names that stand for an address.
func (c Config) key() Address {
	if at := c.At[0]; at.IsValid() {
		return Address{Network: "tcp", Dial: at.String()}
	}
	return c.Address
}

// addrs returns where the target is dialled, or nil if its address tells.
func (c Config) addrs() []netip.AddrPort {
	switch {
	case !c.At[0].IsValid():
		return nil
	case !c.At[1].IsValid():
		return []netip.AddrPort{c.At[0]}
	}
	return c.At[:]
}
