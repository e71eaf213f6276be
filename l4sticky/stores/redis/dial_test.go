package redis

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The attempts to connect to a server are bounded, each server's by themselves.
func TestDialsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer(t.Context())
		count := func(address string) (n int) {
			for d.allow(address) {
				n++
			}
			return n
		}
		if n, m := count("a:1"), count("b:1"); n != dialsAtOnce || m != dialsAtOnce {
			t.Errorf("%d and %d at once", n, m)
		}
		time.Sleep(10 * dialPause)
		if n := count("a:1"); n != 10 {
			t.Errorf("%d after ten pauses", n)
		}
		for i := range 2 * maxServers {
			d.allow(string(rune('a' + i)))
		}
		if len(d.servers) > maxServers {
			t.Errorf("%d servers are remembered", len(d.servers))
		}
	})
}

// A server that does not speak TLS is an error that says what was tried.
func TestServerWithoutTLS(t *testing.T) {
	t.Parallel()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		if conn, err := server.Accept(); err == nil {
			_ = conn.Close()
		}
	}()
	_, err = newDialer(t.Context()).dial(t.Context(), server.Addr().String(), new(net.Dialer), &tls.Config{ServerName: "redis.internal"})
	if err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Errorf("the error is %v", err)
	}
}
