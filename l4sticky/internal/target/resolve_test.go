package target

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestLiteralAddresses(t *testing.T) {
	for address, want := range map[Address]string{
		{"tcp", "10.0.0.1:80"}:          "10.0.0.1:80",
		{"tcp", "[::ffff:10.0.0.1]:80"}: "10.0.0.1:80",
		{"tcp6", "[2001:db8::1]:80"}:    "[2001:db8::1]:80",
		{"tcp", "[fe80::1%lo]:80"}:      "[fe80::1%lo]:80",
		{"tcp", ":80"}:                  "127.0.0.1:80",
		{"tcp6", ":80"}:                 "[::1]:80",
	} {
		got := newTarget(address, stopped).Addrs()
		if !slices.Equal(got, []netip.AddrPort{netip.MustParseAddrPort(want)}) {
			t.Errorf("%v has the addresses %v, want %s", address, got, want)
		}
	}
	for _, address := range []Address{{"tcp", "localhost:80"}, {"unix", "/run/app"}, {"", "udp/10.0.0.1:80"}} {
		if got := newTarget(address, stopped).Addrs(); got != nil {
			t.Errorf("%v has the addresses %v without a look-up", address, got)
		}
	}
}

func TestResolve(t *testing.T) {
	var now atomic.Int64
	target := newTarget(Address{"tcp4", "localhost:80"}, func() time.Duration { return time.Duration(now.Load()) })
	addrs, err := target.Resolve(t.Context())
	want := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}
	if err != nil || !slices.Equal(addrs, want) || !slices.Equal(target.Addrs(), want) {
		t.Fatalf("%v, %v; want %v", addrs, err, want)
	}
	now.Add(int64(resolveAgain))
	if target.Addrs() != nil {
		t.Error("nobody looks the name up again")
	}
	if !slices.Equal(target.Addrs(), want) {
		t.Error("all look the name up at once")
	}
	if _, err := target.Resolve(t.Context()); err != nil || !slices.Equal(target.Addrs(), want) {
		t.Errorf("after another look-up: %v, %v", target.Addrs(), err)
	}
	now.Add(int64(resolveAgain + resolving))
	for range 2 {
		if target.Addrs() != nil {
			t.Error("addresses are used though they are old")
		}
	}
}

func TestReachedComesFirst(t *testing.T) {
	target := newTarget(Address{"tcp", "name.example:80"}, stopped)
	first, second := netip.MustParseAddrPort("[::1]:80"), netip.MustParseAddrPort("127.0.0.1:80")
	target.addrs.Store(&addresses{[]netip.AddrPort{first, second}, forever})
	target.Reached(second)
	if got := target.Addrs(); !slices.Equal(got, []netip.AddrPort{second, first}) {
		t.Errorf("%v, want %v first", got, second)
	}
}
