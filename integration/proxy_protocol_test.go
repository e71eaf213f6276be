package integration

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

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
