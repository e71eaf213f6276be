package clientip

import (
	"net"
	"net/netip"
)

// Of returns the IP address of a client's network address. It turns an IPv4-mapped IPv6 address into the IPv4 address. The
// result is not valid for a client without an IP address, such as one on a Unix socket.
func Of(address net.Addr) netip.Addr { return AddrPort(address).Addr().Unmap() }

// AddrPort returns what a network address has of an IP address and a port.
func AddrPort(address net.Addr) netip.AddrPort {
	switch a := address.(type) {
	case nil:
		return netip.AddrPort{}
	case *net.TCPAddr:
		return a.AddrPort()
	case *net.UDPAddr:
		return a.AddrPort()
	}
	text := address.String()
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return ap
	}
	ip, _ := netip.ParseAddr(text)
	return netip.AddrPortFrom(ip, 0)
}
