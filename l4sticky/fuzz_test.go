package l4sticky

import (
	"net"
	"net/netip"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// fixtures are those of the black-box tests.
const fixtures = "../integration/testdata/*/*.txt"

// seed adds what the fixtures give to a parser whose module has this name.
func seed(f *testing.F, name string) {
	for _, input := range parsetest.Seeds(f, fixtures, name) {
		f.Add(input)
	}
}

// dispense returns what a Caddyfile's parser hands to a module, or skips what is no Caddyfile at all.
func dispense(t *testing.T, input string) *caddyfile.Dispenser {
	tokens, err := caddyfile.Tokenize([]byte(input), "Caddyfile")
	if err != nil {
		t.Skip(err)
	}
	return caddyfile.NewDispenser(tokens)
}

// FuzzHandlerCaddyfile parses anything as a sticky_proxy. What is accepted must stand up to the checks of a
// loaded config, with an error at most.
func FuzzHandlerCaddyfile(f *testing.F) {
	seed(f, "sticky_proxy")
	f.Fuzz(func(t *testing.T, input string) {
		h := new(Handler)
		if err := h.UnmarshalCaddyfile(dispense(t, input)); err != nil {
			return
		}
		if h.SessionExpiry < 0 || h.DeactivationDuration < 0 || h.DialTimeout < 0 || h.MaxSessions < 0 {
			t.Errorf("a negative value was accepted: %+v", h)
		}
		if h.setDefaults() != nil {
			return
		}
		mustSurvive(t, h, (*Handler).setDefaults)
		if h.SessionExpiry == 0 || h.Placement == "" || h.MaxSessions == 0 || h.ClientPrefix.IPv4 == 0 {
			t.Errorf("a default is missing: %+v", h)
		}
		for _, u := range h.Upstreams {
			configs, err := u.configs()
			if err == nil && (len(configs) == 0 || len(configs) > maxPorts) {
				t.Errorf("upstream %+v became %d targets", u, len(configs))
			}
			for _, c := range configs {
				if c.Weight < 0 || c.Weight > target.MaxWeight || c.Address.Network == "" || c.Address.Dial == "" {
					t.Errorf("upstream %+v became %+v", u, c)
				}
			}
		}
	})
}

// FuzzPolicyCaddyfile parses anything as a sticky_ip.
func FuzzPolicyCaddyfile(f *testing.F) {
	seed(f, "sticky_ip")
	f.Fuzz(func(t *testing.T, input string) {
		p := new(SelectionPolicy)
		if p.UnmarshalCaddyfile(dispense(t, input)) == nil && p.setDefaults() == nil {
			mustSurvive(t, p, func(p *SelectionPolicy) error { return p.setDefaults() })
		}
		_ = new(SessionHandler).UnmarshalCaddyfile(dispense(t, input))
	})
}

// peer is an address that is neither TCP nor UDP to look at.
type peer string

func (peer) Network() string  { return "peer" }
func (p peer) String() string { return string(p) }

// FuzzClient makes clients of anything, under any prefixes.
func FuzzClient(f *testing.F) {
	for _, text := range []string{
		"192.0.2.1:80", "[::ffff:192.0.2.1]:80", "[fe80::1%eth0]:80", "::1", "192.0.2.1", "@", "", "/run/app.sock", "[::1", "host:80", "%",
	} {
		f.Add(text, []byte{192, 0, 2, 1}, "eth0", 24, 64)
		f.Add(text, make([]byte, 16), "", 32, 128)
		f.Add(text, []byte(nil), "", 1, 1)
	}
	f.Fuzz(func(t *testing.T, text string, ip []byte, zone string, v4, v6 int) {
		options := Options{ClientPrefix: &parse.ClientPrefix{IPv4: v4, IPv6: v6}}
		if options.setDefaults() != nil {
			return
		}
		v := &poolConfig{settings: settings{options: options}}
		for _, remote := range []net.Addr{
			peer(text), &net.TCPAddr{IP: ip, Zone: zone}, &net.UDPAddr{IP: ip, Zone: zone}, &net.UnixAddr{Name: text}, nil,
		} {
			client := v.client(remote)
			if client.Is4In6() {
				t.Errorf("%v became the mapped %v", remote, client)
			}
			if client.IsValid() && v.client(&net.TCPAddr{IP: client.AsSlice(), Zone: client.Zone()}) != client {
				t.Errorf("the client %v of %v is not a client of its own", client, remote)
			}
		}
		if len(ip) == 4 && v4 >= 1 && v4 <= 32 {
			want := netip.PrefixFrom(netip.AddrFrom4([4]byte(ip)), v4).Masked().Addr()
			if got := v.client(&net.TCPAddr{IP: ip}); got != want {
				t.Errorf("the client of %v/%d is %v, want %v", ip, v4, got, want)
			}
		}
	})
}
