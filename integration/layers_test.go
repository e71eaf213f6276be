package integration

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Bytes that a matcher has read before the handler runs reach the target first.
func TestBehindMatcher(t *testing.T) {
	eachNetwork(t, behindMatcher)
}

func behindMatcher(t *testing.T, network string) {
	const early = 1000 // more than a matcher asks for, less than a first segment
	listen := freeAddr(t)
	target := startTarget(t, "a", digester)
	startCaddy(t, "{\nlayer4 {\n"+network+listen+" {\n@any regexp ^.* 100\nroute @any {\nsticky_proxy "+target.addr+"\n}\n}\n}\n}\n")
	conn := dialFrom(t, "127.0.0.2", listen)
	sent := noise(1, miB)
	for _, size := range []int64{10, early, miB} {
		if _, err := io.CopyN(conn, sent, size); err != nil && err != io.EOF {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // so that the matcher sees the first bytes alone
	}
	_ = conn.CloseWrite()
	if want, _ := digest(noise(1, miB)); mustReadLine(t, conn) != want {
		t.Error("the target got something else than was sent")
	}
}

// Behind TLS the client's connection is a wrapped one. It is known by the same address and both ways
// work to their ends, which TLS has for each direction too.
func TestBehindTLS(t *testing.T) {
	eachNetwork(t, behindTLS)
}

func behindTLS(t *testing.T, network string) {
	plain, secure, targets := freeAddr(t), freeAddr(t), greeters(t, 3)
	config, trust := tlsConfig(t, network, plain, secure, targets)
	startCaddy(t, config)

	for i, ip := range clientIPs(20) {
		home := who(t, ip, plain)
		conn := tls.Client(dialFrom(t, ip, secure), trust)
		if name := mustReadLine(t, conn); name != home {
			t.Errorf("%s is at %s by TLS and at %s without", ip, name, home)
		}
		go func() {
			_, _ = io.Copy(conn, noise(byte(i), miB))
			_ = conn.CloseWrite()
		}()
		// The end of the echo comes after the target has seen the end of what it echoes.
		got, err := digest(conn)
		if want, _ := digest(noise(byte(i), miB)); got != want || err != nil {
			t.Errorf("the echo differs from what was sent: %v", err)
		}
	}

	// A client that vanishes without TLS's goodbye frees the target all the same.
	conn := dialFrom(t, "127.0.0.2", secure)
	mustReadLine(t, tls.Client(conn, trust))
	reset(conn)
	await(t, "the targets to be rid of all connections", func() bool {
		return targets[0].open()+targets[1].open()+targets[2].open() == 0
	})
}

// Behind a handler that wraps the connection in something of its own, a client that is still sending gets the
// whole answer of a target that has ended.
func TestBehindThrottle(t *testing.T) {
	eachNetwork(t, behindThrottle)
}

func behindThrottle(t *testing.T, network string) {
	listen := freeAddr(t)
	target := startTarget(t, "a", func(conn *net.TCPConn) {
		_, _ = io.CopyN(conn, noise(1, miB), miB)
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	})
	startCaddy(t, caddyfile(server{network + listen, "throttle {\nread_bytes_per_second 1e9\nread_burst_size 1000000\n}\n" + sticky("", target)}))
	conn := dialFrom(t, "127.0.0.2", listen)
	go func() {
		for chunk := make([]byte, kiB); ; time.Sleep(time.Millisecond) {
			if _, err := conn.Write(chunk); err != nil {
				return
			}
		}
	}()
	got, err := digest(conn)
	if want, _ := digest(noise(1, miB)); got != want || err != nil {
		t.Errorf("the answer differs from what was sent: %v", err)
	}
}

// Datagrams are no connection to balance, whatever a PROXY header says of them.
func TestDatagramsAreRefused(t *testing.T) {
	t.Parallel()
	listen, target := freeAddr(t), startTarget(t, "a", greet("a"))
	caddy := startCaddy(t, caddyfile(server{"udp/" + listen, "proxy_protocol\n" + sticky("", target)}))
	conn, err := net.Dial("udp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello"); err != nil {
		t.Fatal(err)
	}
	await(t, "the datagram to be refused", func() bool { return strings.Contains(caddy.Log(), "carries no datagrams") })
	if n := target.accepted.Load(); n != 0 {
		t.Errorf("the target got %d connections", n)
	}
}

// tlsConfig returns a config with a server for plain TCP and one for TLS, and what a client needs to
// trust it. The certificate is the one that httptest has.
func tlsConfig(t testing.TB, network, plain, secure string, targets []*target) (string, *tls.Config) {
	t.Helper()
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	certificate := lender.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	var upstreams []object
	for _, target := range targets {
		upstreams = append(upstreams, object{"dial": target.addr})
	}
	balancer := object{"handler": "sticky_proxy", "upstreams": upstreams}
	serve := func(listen string, handlers ...object) object {
		return object{"listen": []string{listen}, "routes": []object{{"handle": handlers}}}
	}
	config, err := json.Marshal(object{"apps": object{
		"layer4": object{"servers": object{
			"plain":  serve(network+plain, balancer),
			"secure": serve(network+secure, object{"handler": "tls"}, balancer),
		}},
		"tls": object{"certificates": object{"load_pem": []object{{
			"certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})),
			"key":         string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
		}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	host, _, _ := net.SplitHostPort(secure)
	return string(config), &tls.Config{RootCAs: roots, ServerName: host}
}
