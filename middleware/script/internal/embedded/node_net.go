package embedded

import (
	"net"
	"net/netip"
	"strings"

	"github.com/dop251/goja"
)

func (e *engine) netBinding() map[string]any {
	return map[string]any{
		"isIP": isIP, "blockList": e.blockList, "hangUp": e.hangUp, "failed": e.emitError, "keepTimer": e.keepTimer, "listens": e.listens,
		"remotePort": e.remotePort,
	}
}

// isIP returns 4, 6, or 0 for what is no address.
func isIP(text string) int {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil, strings.Count(text, "%") > 1:
		return 0
	case a.Is4():
		return 4
	}
	return 6
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
