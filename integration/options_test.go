package integration

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// Clients spread by weight.
func TestWeights(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(500)
	startCaddy(t, balance(listen, upstream(targets[0].addr, "weight 1")+upstream(targets[1].addr, "weight 3")))

	homes := whoEach(t, ips, listen)
	// Chance alone goes beyond these bounds once in some million runs: they are 5 standard deviations off.
	if heavy := len(homedAt(homes, "b")); heavy < 327 || heavy > 423 {
		t.Errorf("%d of 500 clients are at the target with three quarters of the weight", heavy)
	}
}

// A full target gets no more connections until one of its own closes.
func TestMaxConnections(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	startCaddy(t, balance(listen, upstream(targets[0].addr, "max_connections 2")+backups(targets[1])))

	first, at := hold(t, "127.0.0.2", listen)
	_, alsoAt := hold(t, "127.0.0.3", listen)
	if at != "a" || alsoAt != "a" {
		t.Fatalf("the first two clients are at %s and %s", at, alsoAt)
	}
	for _, ip := range []string{"127.0.0.4", "127.0.0.5"} {
		if _, at := hold(t, ip, listen); at != "b" {
			t.Errorf("%s is at %s, which is full", ip, at)
		}
	}
	first.Close()
	await(t, "a to lose a connection", func() bool { return targets[0].open() == 1 })
	// The balancer's own count follows a moment later, so more than one new client may have to ask.
	spares := clientIPs(30)[10:]
	awaitActive(t, targets[0], spares, listen)
}

// When every target is full, a client is closed as if none was there, and the full ones are not taken
// for failed.
func TestAllFull(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(4)
	startCaddy(t, balance(listen, upstream(targets[0].addr, "max_connections 1")+upstream(targets[1].addr, "max_connections 1")))
	first, _ := hold(t, ips[0], listen)
	hold(t, ips[1], listen)
	mustClose(t, dialFrom(t, ips[2], listen))
	first.Close()
	await(t, "the place of the client that left", func() bool {
		_, err := tryWho(ips[3], listen)
		return err == nil
	})
}

// When the table is full, the session that has been idle longest makes room, and none that has an open
// connection.
func TestMaxSessions(t *testing.T) {
	t.Parallel()
	const limit = 20
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(150)
	startCaddy(t, balance(listen, "max_sessions 20\ndeactivation_duration 10ms", targets...))
	clients := homedAt(whoEach(t, ips, listen), "a")
	spares, clients := clients[:5], clients[5:5+2*limit]

	// Only a session remembers a client's move to b.
	targets[0].kill()
	_, _ = hold(t, clients[0], listen)
	for _, ip := range clients[1:] {
		who(t, ip, listen)
	}
	targets[0].start(t)
	awaitActive(t, targets[0], spares, listen)
	for _, remembered := range []string{clients[len(clients)-1], clients[0]} {
		if name := who(t, remembered, listen); name != "b" {
			t.Errorf("a client whose session should have been kept is at %s", name)
		}
	}
	if name := who(t, clients[1], listen); name != "a" {
		t.Errorf("the client whose session was idle longest is at %s still", name)
	}
}

// Targets and listeners can be Unix sockets.
func TestUnixSockets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.WriteString(conn, "unix\n")
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	// A client on a Unix socket has no address to be known by, and is served all the same.
	listen, socket := freeAddr(t), filepath.Join(t.TempDir(), "l")
	handler := "sticky_proxy unix/" + path
	startCaddy(t, caddyfile(server{listen, handler}, server{"unix/" + socket, handler}))
	local, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { local.Close() })
	for _, conn := range []net.Conn{dialFrom(t, "127.0.0.2", listen), local} {
		name := mustReadLine(t, conn)
		_, _ = io.WriteString(conn, "hello")
		_ = conn.(interface{ CloseWrite() error }).CloseWrite()
		if echo, err := io.ReadAll(conn); name != "unix" || string(echo) != "hello" || err != nil {
			t.Errorf("%q answered %q, %v", name, echo, err)
		}
	}
}

// IPv6 clients are clients like others, and an IPv4 client of a dual-stack listener is the same client
// as anywhere else.
func TestDualStack(t *testing.T) {
	t.Parallel()
	if !hasIPv6() {
		t.Skip("this machine has no IPv6")
	}
	port, v4 := freePort(t), freeAddr(t)
	targets, ips := greeters(t, 3), clientIPs(30)
	handler := sticky("", targets...)
	startCaddy(t, caddyfile(server{fmt.Sprintf(":%d", port), handler}, server{v4, handler}))

	dual := fmt.Sprintf("127.0.0.1:%d", port)
	mustAgree(t, "on the dual-stack listener", whoEach(t, ips, dual), whoEach(t, ips, v4))

	v6 := fmt.Sprintf("[::1]:%d", port)
	home := who(t, "::1", v6)
	named(t, targets, home).kill()
	moved := who(t, "::1", v6)
	if moved == home {
		t.Errorf("the client stayed at %s, which is dead", home)
	}
	for range 5 {
		if name := who(t, "::1", v6); name != moved {
			t.Errorf("the client moved from %s to %s", moved, name)
		}
	}
}

// When all targets are full the log says so, and how much they may have.
func TestAllAreFull(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	p := startCaddy(t, balance(listen, upstream(targets[0].addr, "max_connections 1")+upstream(targets[1].addr, "max_connections 2")))
	ips := clientIPs(4)
	for _, ip := range ips[:3] {
		hold(t, ip, listen)
	}
	mustEnd(t, dialFrom(t, ips[3], listen))
	await(t, "the log to tell it", func() bool { return strings.Contains(p.Log(), `"all upstreams are full"`) })
	if log := p.Log(); !strings.Contains(log, `"pool":"default","upstreams":2,"max_connections":3`) || strings.Contains(log, "no upstream accepts") {
		t.Errorf("the log does not tell how many, or something else:\n%s", log)
	}
	if got := p.metric(t, `caddy_sticky_proxy_blocked_total{limit="upstreams_full",pool="default"}`); got != "1" {
		t.Errorf("the metric is %q", got)
	}
}

// The target learns the client's address before anything else, also after a failover.
func TestSendsProxyProtocol(t *testing.T) {
	t.Parallel()
	for version, read := range map[string]func(io.Reader) (string, error){"v1": readLine, "v2": readProxyV2} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			serve := func(conn *net.TCPConn) {
				header, err := read(conn)
				_, _ = fmt.Fprintf(conn, "%s %v\n", strings.TrimSpace(header), err)
				_, _ = io.Copy(conn, conn)
			}
			dead, good := startTarget(t, "dead", serve), startTarget(t, "good", serve)
			dead.kill()
			listen := freeAddr(t)
			startCaddy(t, balance(listen, "proxy_protocol "+version+"\n"+backups(good), dead))
			for _, ip := range clientIPs(3) {
				conn, got := hold(t, ip, listen)
				want := fmt.Sprintf("PROXY TCP4 %s 127.0.0.1 %d %d <nil>", ip, portOf(conn.LocalAddr().String()), portOf(listen))
				if got != want {
					t.Errorf("the target was told %q, want %q", got, want)
				}
				mustEcho(t, conn)
			}
		})
	}
}

// What a PROXY header says of a client beside its address reaches the target, but for the checksum of another header.
func TestPassesExtensionsOn(t *testing.T) {
	t.Parallel()
	headers := make(chan *proxyproto.Header, 1)
	target := startTarget(t, "a", func(conn *net.TCPConn) {
		header, err := proxyproto.Read(bufio.NewReader(conn))
		if err != nil {
			t.Error(err)
		}
		headers <- header
	})
	listen := freeAddr(t)
	startCaddy(t, caddyfile(server{listen, "proxy_protocol {\nallow 127.0.0.0/8\ntimeout 5s\n}\n" + sticky("proxy_protocol v2", target)}))
	sent := []proxyproto.TLV{
		{Type: proxyproto.PP2_TYPE_ALPN, Value: []byte("h2")},
		{Type: proxyproto.PP2_TYPE_CRC32C, Value: make([]byte, 4)},
		{Type: proxyproto.PP2_TYPE_AUTHORITY, Value: []byte("example.com")},
		{Type: proxyproto.PP2_TYPE_NOOP, Value: make([]byte, 3)},
		{Type: 0xEA, Value: []byte("\x01vpce-08d2bf15fac5001c9")},
		{Type: proxyproto.PP2_TYPE_MIN_CUSTOM, Value: nil},
	}
	header := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 4711}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80})
	header.Command = proxyproto.PROXY
	if err := header.SetTLVs(sent); err != nil {
		t.Fatal(err)
	}
	conn := dialFrom(t, clientIPs(1)[0], listen)
	if _, err := header.WriteTo(conn); err != nil {
		t.Fatal(err)
	}
	got := <-headers
	if got == nil || got.SourceAddr.String() != "192.0.2.7:4711" {
		t.Fatalf("the target was told %+v", got)
	}
	came, err := got.TLVs()
	want := []proxyproto.TLV{sent[0], sent[2], sent[4], {Type: proxyproto.PP2_TYPE_MIN_CUSTOM, Value: []byte{}}}
	if err != nil || !reflect.DeepEqual(came, want) {
		t.Errorf("the target was told %v, %v; want %v", came, err, want)
	}
}

// A connection that looks whether a target still accepts says that it is no client's.
func TestProbeSaysThatItIsLocal(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{"v1": "PROXY UNKNOWN\r\n", "v2": "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			first, probe := new(atomic.Bool), make(chan string, 1)
			target := startTarget(t, "a", func(conn *net.TCPConn) {
				if !first.Swap(true) {
					_, _ = io.WriteString(conn, "hello\n")
					for r := bufio.NewReader(conn); ; {
						if line, err := r.ReadString('\n'); err != nil || strings.HasSuffix(line, "go\n") {
							break
						}
					}
					_ = conn.SetLinger(0) // a connection that breaks has its target looked at
					return
				}
				all, _ := io.ReadAll(conn)
				probe <- string(all)
			})
			listen := freeAddr(t)
			startCaddy(t, balance(listen, "proxy_protocol "+version, target))
			conn := dialFrom(t, clientIPs(1)[0], listen)
			mustReadLine(t, conn)
			_, _ = io.WriteString(conn, "go\n")
			_, _ = io.ReadAll(conn)
			select {
			case got := <-probe:
				if got != want {
					t.Errorf("the probe said %q, want %q", got, want)
				}
			case <-time.After(patience):
				t.Error("the target was not looked at")
			}
		})
	}
}

// A range of ports is as many targets.
func TestPortRange(t *testing.T) {
	t.Parallel()
	var first int
	targets := startRange(t, 4, &first)
	listen, ips := freeAddr(t), clientIPs(60)
	startCaddy(t, caddyfile(server{listen, fmt.Sprintf("sticky_proxy 127.0.0.1:%d-%d", first, first+3)}))
	homes := whoEach(t, ips, listen)
	if n := len(spread(homes)); n != len(targets) {
		t.Errorf("the clients are at %v", spread(homes))
	}
	mustAgree(t, "once more", whoEach(t, ips, listen), homes)
}

// startRange starts targets at neighbouring ports.
func startRange(t *testing.T, n int, first *int) (targets []*target) {
	t.Helper()
	for range 50 {
		*first = freePort(t)
		var listeners []net.Listener
		for i := range n {
			if listener, err := listenTCP(fmt.Sprintf("127.0.0.1:%d", *first+i)); err == nil {
				listeners = append(listeners, listener)
			}
		}
		if len(listeners) < n {
			for _, listener := range listeners {
				listener.Close()
			}
			continue
		}
		for _, listener := range listeners {
			name := listener.Addr().String()
			s := &target{name: name, addr: name, serve: greet(name), conns: make(map[*net.TCPConn]struct{})}
			s.accept(listener)
			t.Cleanup(s.kill)
			targets = append(targets, s)
		}
		return targets
	}
	t.Fatal("there are no neighbouring ports")
	return nil
}

// With weight 0, or drained, a target keeps the clients that have a session there, and gets no others.
func TestNoNewClients(t *testing.T) {
	t.Parallel()
	for _, option := range []string{"weight 0", "drain"} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(80)
			p := startCaddy(t, balance(listen, "session_expiry 1h", targets...))
			homes := whoEach(t, ips[:40], listen)
			p.reload(t, caddyfile(server{listen, sticky("session_expiry 1h\n"+upstream(targets[0].addr, option), targets[1])}))
			mustAgree(t, "with "+option, whoEach(t, ips[:40], listen), homes)
			for ip, home := range whoEach(t, ips[40:], listen) {
				if home != targets[1].name {
					t.Errorf("%s is new, and at %s", ip, home)
				}
			}
		})
	}
}

// readProxyV2 reads a binary header over TCP and IPv4 and words it like a textual one.
func readProxyV2(conn io.Reader) (string, error) {
	var header struct {
		Signature                   [12]byte
		Version, Family             byte
		Length                      uint16
		Source, Destination         [4]byte
		SourcePort, DestinationPort uint16
	}
	if err := binary.Read(conn, binary.BigEndian, &header); err != nil {
		return "", err
	}
	if string(header.Signature[:]) != "\r\n\r\n\x00\r\nQUIT\n" || header.Version != 0x21 || header.Family != 0x11 || header.Length < 12 {
		return "", fmt.Errorf("not a header for TCP over IPv4: %x", header)
	}
	if _, err := io.CopyN(io.Discard, conn, int64(header.Length-12)); err != nil {
		return "", err
	}
	return fmt.Sprintf("PROXY TCP4 %v %v %d %d", netip.AddrFrom4(header.Source), netip.AddrFrom4(header.Destination),
		header.SourcePort, header.DestinationPort), nil
}

// Behind another proxy the client is the one that the PROXY header names, whoever connects.
func TestReceivesProxyProtocol(t *testing.T) {
	t.Parallel()
	direct, behind, targets := freeAddr(t), freeAddr(t), greeters(t, 4)
	handler := sticky("", targets...)
	startCaddy(t, caddyfile(
		server{direct, handler},
		server{behind, "proxy_protocol {\nallow 127.0.0.0/8\ntimeout 5s\n}\n" + handler},
	))
	for i, ip := range clientIPs(40) {
		home := who(t, ip, direct)
		conn := dialFrom(t, fmt.Sprintf("127.0.3.%d", 1+i), behind)
		// What comes with the header in one piece must reach the target too.
		_, _ = fmt.Fprintf(conn, "PROXY TCP4 %s 192.0.2.1 1234 80\r\nhello\n", ip)
		if name := mustReadLine(t, conn); name != home {
			t.Errorf("%s is at %s behind a proxy and at %s directly", ip, name, home)
		}
		if echo := mustReadLine(t, conn); echo != "hello" {
			t.Errorf("the target echoed %q", echo)
		}
		// The connection is a wrapped one for the balancer, which half-closes all the same.
		_ = conn.CloseWrite()
		if rest, err := io.ReadAll(conn); len(rest) > 0 || err != nil {
			t.Errorf("%q, %v came instead of the end", rest, err)
		}
	}
}
