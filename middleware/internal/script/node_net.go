package script

import (
	"net"
	"net/netip"
	"strings"

	"github.com/dop251/goja"
)

func (e *engine) netBinding() map[string]any {
	return map[string]any{"isIP": isIP, "hangUp": e.hangUp, "blockList": e.blockList}
}

// isIP returns 4, 6, or 0 for what is no address.
func isIP(text string) int {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return 0
	case a.Is4():
		return 4
	}
	return 6
}

// rule is one of a BlockList.
type rule struct {
	text     string
	contains func(netip.Addr) bool
}

// blockList is what net.BlockList is made of.
func (e *engine) blockList() map[string]any {
	var rules []rule
	add := func(text string, contains func(netip.Addr) bool) { rules = append([]rule{{text, contains}}, rules...) }
	return map[string]any{
		"addAddress": func(address, family string) {
			a := e.address(address, family)
			add("Address: "+familyName(a)+" "+a.String(), func(other netip.Addr) bool { return other == a })
		},
		"addRange": func(start, end, family string) {
			from, to := e.address(start, family), e.address(end, family)
			if to.Less(from) {
				panic(e.makeError("TypeError", "net.BlockList: the range "+start+" to "+end+" ends before it starts"))
			}
			add("Range: "+familyName(from)+" "+start+"-"+end, func(other netip.Addr) bool {
				return other.BitLen() == from.BitLen() && from.Compare(other) <= 0 && other.Compare(to) <= 0
			})
		},
		"addSubnet": func(network string, bits int, family string) {
			a := e.address(network, family)
			prefix, err := a.Prefix(bits)
			if err != nil {
				e.throwRange("net.BlockList: the prefix length %d is out of range", bits)
			}
			add("Subnet: "+familyName(a)+" "+prefix.String(), prefix.Contains)
		},
		"check": func(address, family string) bool {
			a, err := netip.ParseAddr(address)
			if err != nil || !strings.EqualFold(family, familyName(a)) {
				return false
			}
			a = a.WithZone("").Unmap() // Node checks IPv4 rules for an IPv4-mapped address
			for _, r := range rules {
				if r.contains(a) {
					return true
				}
			}
			return false
		},
		"rules": func() any {
			list := make([]any, len(rules))
			for i, r := range rules {
				list[i] = r.text
			}
			return e.vm.NewArray(list...)
		},
	}
}

func familyName(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// address reads an address of a family, or throws.
func (e *engine) address(text, family string) netip.Addr {
	a, err := netip.ParseAddr(text)
	if err != nil || !strings.EqualFold(family, familyName(a)) {
		panic(e.makeError("TypeError", "net.BlockList: "+text+" is no address of the family "+family))
	}
	return a.WithZone("").Unmap()
}

// networkInterfaces is os.networkInterfaces.
func (e *engine) networkInterfaces() goja.Value {
	all := e.vm.NewObject()
	interfaces, err := net.Interfaces()
	if err != nil {
		panic(e.vm.NewGoError(err))
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil {
			continue
		}
		var list []any
		for _, address := range addresses {
			prefix, err := netip.ParsePrefix(address.String())
			if err != nil {
				continue
			}
			entry := e.vm.NewObject()
			_ = entry.Set("address", prefix.Addr().String())
			_ = entry.Set("family", familyName(prefix.Addr()))
			_ = entry.Set("mac", i.HardwareAddr.String())
			_ = entry.Set("internal", i.Flags&net.FlagLoopback != 0)
			_ = entry.Set("cidr", prefix.String())
			list = append(list, entry)
		}
		_ = all.Set(i.Name, e.vm.NewArray(list...))
	}
	return all
}
