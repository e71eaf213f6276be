package clientip

import (
	"net"
	"net/netip"
)

// Of returns the IP address of a client's network address. It turns an IPv4-mapped IPv6 address into the IPv4 address. The
// result is not valid for a client without an IP address, such as one on a Unix socket.
func Of(address net.Addr) netip.Addr {
	switch a := address.(type) {
	case nil:
		return netip.Addr{}
	case *net.TCPAddr:
		return a.AddrPort().Addr().Unmap()
	case *net.UDPAddr:
		return a.AddrPort().Addr().Unmap()
	}
	text := address.String()
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap.Addr().Unmap()
	}
	ip, _ := netip.ParseAddr(text)
	return ip.Unmap()
}
