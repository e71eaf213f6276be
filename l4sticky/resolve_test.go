package l4sticky

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// An upstream is one target with one address of each family at most, and else one for each address.
func TestExpand(t *testing.T) {
	u := target.Config{Address: target.Address{Network: "tcp", Dial: "svc.test:8000"}, Weight: 3, MaxConnections: 9, Backup: 1}
	for _, test := range []struct{ addrs, want []string }{
		{nil, []string{"svc.test:8000"}},
		{[]string{"10.0.0.1"}, []string{"svc.test:8000"}},
		{[]string{"10.0.0.1", "2001:db8::1"}, []string{"svc.test:8000"}},
		{[]string{"10.0.0.1", "10.0.0.2"}, []string{"10.0.0.1:8000", "10.0.0.2:8000"}},
		{[]string{"10.0.0.1", "10.0.0.2", "2001:db8::1"}, []string{"10.0.0.1:8000", "10.0.0.2:8000", "[2001:db8::1]:8000"}},
		{[]string{"2001:db8::1", "2001:db8::2"}, []string{"[2001:db8::1]:8000", "[2001:db8::2]:8000"}},
	} {
		var addrs []netip.Addr
		for _, a := range test.addrs {
			addrs = append(addrs, netip.MustParseAddr(a))
		}
		var got []string
		for _, c := range expand(u, addrs) {
			got = append(got, c.Address.Dial)
			if c.Weight != 3 || c.MaxConnections != 9 || c.Backup != 1 || len(addrs) > 0 && c.Upstream != u.Address {
				t.Errorf("%v became %+v", test.addrs, c)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%v became %v, want %v", test.addrs, got, test.want)
		}
	}
}

// A target keeps its state while its name grows from one address to several, and shrinks again.
func TestNameGrows(t *testing.T) {
	u := target.Config{Address: target.Address{Network: "tcp", Dial: "svc.test:8000"}, Weight: 1}
	one, two := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	set := target.NewSet(target.NewRegistry(monotonic), target.Rendezvous, 0, expand(u, []netip.Addr{one}))
	defer set.Close()
	first := set.Members()[0].Target
	set.Update(expand(u, []netip.Addr{one, two}))
	if m := set.Members(); len(m) != 2 || m[0].Target != first {
		t.Error("the target is another one since its name has two addresses")
	}
	set.Update(expand(u, []netip.Addr{one}))
	if m := set.Members(); len(m) != 1 || m[0].Target != first {
		t.Error("the target is another one since its name has one address again")
	}
}
