package clientip

import (
	"net"
	"net/netip"
	"testing"
)

type text string

func (text) Network() string  { return "test" }
func (t text) String() string { return string(t) }

func TestOf(t *testing.T) {
	mapped := net.ParseIP("192.0.2.1").To16()
	for want, addresses := range map[string][]net.Addr{
		"192.0.2.1": {&net.TCPAddr{IP: mapped, Port: 1}, &net.UDPAddr{IP: mapped}, text("192.0.2.1:80"), text("[::ffff:192.0.2.1]:80"), text("::ffff:192.0.2.1")},
		"fe80::1%e": {&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "e"}, text("[fe80::1%e]:1"), text("fe80::1%e")},
		"":          {nil, &net.UnixAddr{Name: "/run/socket"}, text(""), &net.TCPAddr{}},
	} {
		for _, address := range addresses {
			expected, _ := netip.ParseAddr(want)
			if got := Of(address); got != expected {
				t.Errorf("%v is %v, want %q", address, got, want)
			}
		}
	}
}
