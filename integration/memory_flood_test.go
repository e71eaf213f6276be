package integration

import (
	"encoding/binary"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// stranger returns the IPv6 address of a client with this number.
func stranger(n int) net.IP {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, 0x2001_0db8<<32), uint64(n))
}

// throughProxy connects as a client whose address a proxy names, and returns the connection with the greeting that it
// got.
func throughProxy(client net.IP, listen string) (*net.TCPConn, string, error) {
	// Each source address has ports of its own, of which one alone would soon have none left.
	conn, err := tryDial(fmt.Sprintf("127.0.0.%d", 2+client[len(client)-1]%200), listen)
	if err != nil {
		return nil, "", err
	}
	header := proxyproto.HeaderProxyFromAddrs(2, &net.TCPAddr{IP: client, Port: 1234}, &net.TCPAddr{IP: net.IPv6loopback, Port: 80})
	if _, err := header.WriteTo(conn); err != nil {
		conn.Close()
		return nil, "", err
	}
	name, err := readLine(conn)
	if err != nil {
		conn.Close()
		return nil, "", fmt.Errorf("the greeting for %s: %w after %q", client, err, name)
	}
	return conn, name, nil
}

// mustBeAt fails unless a client is sent to the target.
func mustBeAt(t *testing.T, client net.IP, listen, want string) *net.TCPConn {
	t.Helper()
	conn, name, err := throughProxy(client, listen)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if name != want {
		t.Fatalf("%s is at %s, want %s", client, name, want)
	}
	return conn
}

// Thousands of IPv6 clients, more than there may be sessions, neither take the balancer beyond its memory limit nor
// push out those who have a connection. Not parallel, since it sets the environment and measures.
func TestFloodOfClients(t *testing.T) {
	const (
		limit     = 192 * miB
		strangers = 5_000
		regulars  = 50
	)
	t.Setenv("GOMEMLIMIT", fmt.Sprint(limit))
	listen, targets := freeAddr(t), greeters(t, 2)
	caddy := startCaddy(t, caddyfile(server{listen, "proxy_protocol {\nallow 127.0.0.0/8\ntimeout 5s\n}\n" +
		sticky("max_sessions 500\nsession_expiry 1h\ndeactivation_duration 10ms\n"+backups(targets[1]), targets[0])}))

	// Only a session remembers that a client has moved to b.
	targets[0].kill()
	var held []*net.TCPConn
	for n := range regulars {
		held = append(held, mustBeAt(t, stranger(n), listen, "b"))
	}
	passer := stranger(regulars)
	mustBeAt(t, passer, listen, "b").Close()
	targets[0].start(t)
	scouts := 0
	await(t, "a to be active again", func() bool {
		scouts++
		conn, name, err := throughProxy(stranger(-scouts), listen)
		if err == nil {
			conn.Close()
		}
		return name == "a"
	})

	before, began := caddy.residentKB(t), time.Now()
	each(strangers, func(i int) {
		conn, _, err := throughProxy(stranger(regulars+1+i), listen)
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	})
	after := caddy.residentKB(t)
	t.Logf("%d clients in %v; %d MB became %d MB", strangers, time.Since(began), before/1024, after/1024)
	if after > max(before, limit/1024)+48*1024 {
		t.Errorf("the balancer has grown from %d to %d MB", before/1024, after/1024)
	}
	for n, conn := range held {
		mustBeAt(t, stranger(n), listen, "b").Close()
		mustEcho(t, conn)
	}
	mustBeAt(t, passer, listen, "a") // its session was idle longest
}
