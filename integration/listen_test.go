package integration

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
)

// hasIPv6 reports whether this machine has an IPv6 loopback.
func hasIPv6() bool {
	probe, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	probe.Close()
	return true
}

// freePorts returns the first of n free ports in a row.
func freePorts(t testing.TB, n int) int {
	t.Helper()
	first, last := 0, 0
	for first == 0 || last-first < n-1 {
		if port := freePort(t); port != last+1 {
			first, last = port, port
		} else {
			last = port
		}
	}
	return first
}

// A seamless address may be whatever a plain one may be, and a client is the same client on all of them.
func TestSeamlessAddresses(t *testing.T) {
	t.Parallel()
	targets, ips := greeters(t, 3), clientIPs(20)
	for _, form := range []struct {
		name, address string // from FIRST to LAST are three free ports
		v4, v6        []int  // which of them serve
		refusesV4     bool
		refusesV6     bool
	}{
		{name: "IPv4", address: "seamless/127.0.0.1:FIRST", v4: []int{0}, refusesV6: true},
		{name: "IPv6", address: "seamless/[::1]:FIRST", v6: []int{0}, refusesV4: true},
		{name: "both", address: "seamless/:FIRST", v4: []int{0}, v6: []int{0}},
		{name: "any IPv6 is both", address: "seamless/[::]:FIRST", v4: []int{0}, v6: []int{0}},
		{name: "only IPv4", address: "seamless4/:FIRST", v4: []int{0}, refusesV6: true},
		{name: "only IPv6", address: "seamless6/:FIRST", v6: []int{0}, refusesV4: true},
		{name: "range", address: "seamless/127.0.0.1:FIRST-LAST", v4: []int{0, 1, 2}, refusesV6: true},
		{name: "range of both", address: "seamless/:FIRST-LAST", v4: []int{0, 1, 2}, v6: []int{0, 1, 2}},
		{name: "placeholder", address: "seamless/{env.LOOPBACK}:FIRST", v4: []int{0}, refusesV6: true},
		{name: "name", address: "seamless4/localhost:FIRST", v4: []int{0}},
		{name: "several", address: "seamless/127.0.0.1:FIRST seamless/[::1]:FIRST", v4: []int{0}, v6: []int{0}},
	} {
		t.Run(form.name, func(t *testing.T) {
			t.Parallel()
			if !hasIPv6() && len(form.v6) > 0 {
				t.Skip("this machine has no IPv6")
			}
			plain, first := freeAddr(t), freePorts(t, 3)
			address := strings.NewReplacer("FIRST", strconv.Itoa(first), "LAST", strconv.Itoa(first+2)).Replace(form.address)
			handler := sticky("", targets...)
			startCaddy(t, caddyfile(server{plain, handler}, server{address, handler}))
			homes := whoEach(t, ips, plain)
			for _, i := range form.v4 {
				mustAgree(t, address, whoEach(t, ips, fmt.Sprintf("127.0.0.1:%d", first+i)), homes)
			}
			for _, i := range form.v6 {
				conn, _ := hold(t, "::1", fmt.Sprintf("[::1]:%d", first+i))
				mustEcho(t, conn)
			}
			if form.refusesV4 {
				mustRefuse(t, fmt.Sprintf("127.0.0.1:%d", first))
			}
			if form.refusesV6 {
				mustRefuse(t, fmt.Sprintf("[::1]:%d", first))
			}
		})
	}
}

// mustRefuse fails if somebody listens at an address.
func mustRefuse(t testing.TB, addr string) {
	t.Helper()
	if listens(addr) {
		t.Errorf("somebody listens on %s", addr)
	}
}

// A config may change how it listens on a port, there and back, and who is connected stays so.
func TestReloadChangesNetwork(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(20)
	everywhere := fmt.Sprintf(":%d", portOf(listen))
	caddy := startCaddy(t, balance(listen, "", targets...))
	homes := whoEach(t, ips, listen)
	var conns []*net.TCPConn
	for i, address := range []string{
		"seamless/" + listen, listen, "seamless/" + listen, "seamless/" + everywhere, everywhere, "seamless/" + everywhere,
		"seamless4/" + everywhere, "seamless/" + listen, "seamless4/" + listen, listen, everywhere, "seamless/" + listen, listen,
	} {
		conn, _ := hold(t, ips[i%len(ips)], listen)
		conns = append(conns, conn)
		caddy.reload(t, balance(address, "", targets...))
		mustAgree(t, "on "+address, whoEach(t, ips, listen), homes)
		for _, conn := range conns {
			mustEcho(t, conn)
		}
	}
}
