package middleware

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4proxyprotocol"
	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
)

// fixtures are those of the black-box tests.
const fixtures = "../integration/testdata/*/*.txt"

func FuzzAuthorizeOptions(f *testing.F) {
	const object = `{"url": "http://localhost:9000/", "socket": "/run/a", "timeout": "2s", "on_error": "deny", "cache_ttl": 1000, "cache_size": 10}`
	parsetest.FuzzOptions(f, fixtures, "authorize", object, func() *Authorize { return new(Authorize) }, func(t *testing.T, a *Authorize) {
		if a.table().SetDefaults() != nil {
			return
		}
		if a.Timeout <= 0 || a.CacheTTL <= 0 || a.CacheSize <= 0 || a.OnError != onErrorAllow && a.OnError != onErrorDeny {
			t.Errorf("accepted %+v", a)
		}
		if a.CacheSize > 1000 {
			return // it takes memory, as it says
		}
		authority, err := newAuthority(a.URL, a.Socket, time.Duration(a.Timeout), time.Duration(a.CacheTTL), a.CacheSize)
		if err != nil {
			t.Errorf("accepted %+v, but %v", a, err)
			return
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nobody is asked, but the question is made
		if _, _, err := authority.post(ctx, question{}); err == nil || strings.Contains(err.Error(), "making the question") {
			t.Errorf("asking with %+v: %v", a, err)
		}
	})
}

func FuzzRateLimitOptions(f *testing.F) {
	const object = `{"connections": 5, "window": "1m", "burst": 10, "client_prefix": {"ipv4": 24, "ipv6": 56}, "max_clients": 9, "name": "a"}`
	parsetest.FuzzOptions(f, fixtures, "rate_limit", object, func() *RateLimit { return new(RateLimit) }, func(t *testing.T, r *RateLimit) {
		if r.table().SetDefaults() != nil {
			return
		}
		l := limits{window: time.Duration(r.Window), connections: r.Connections, burst: r.Burst, prefix: *r.ClientPrefix, maxClients: r.MaxClients}
		if rate := l.rate(); !(rate > 0) || r.Burst < 1 || r.MaxClients < 1 || r.Window <= 0 || r.Name == "" {
			t.Errorf("accepted %+v, a rate of %v", r, rate)
		}
	})
}

func FuzzMatcherOptions(f *testing.F) {
	const object = `{"chain": [{"middleware": "rate_limit", "connections": 5}], "timeout": "1s", "reset": true}`
	parsetest.FuzzOptions(f, fixtures, "middleware", object, func() *Matcher { return new(Matcher) }, func(t *testing.T, m *Matcher) {
		if m.Timeout < 0 || len(m.ChainRaw) == 0 {
			return
		}
		for _, raw := range m.ChainRaw {
			key := parse.Canonical(raw)
			if again := parse.Canonical([]byte(key)); again != key {
				t.Errorf("%s has the keys %q and %q", raw, key, again)
			}
		}
	})
}

// bytesConn is a connection of a peer that has sent some bytes and ended its direction.
type bytesConn struct {
	net.Conn
	reader bytes.Reader
}

var peerAddr, localAddr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9), Port: 9999}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}

func (c *bytesConn) Read(p []byte) (int, error)    { return c.reader.Read(p) }
func (*bytesConn) Write(p []byte) (int, error)     { return len(p), nil }
func (*bytesConn) RemoteAddr() net.Addr            { return peerAddr }
func (*bytesConn) LocalAddr() net.Addr             { return localAddr }
func (*bytesConn) SetReadDeadline(time.Time) error { return nil }
func (*bytesConn) Close() error                    { return nil }
func connOf(data []byte) net.Conn                  { return &bytesConn{reader: *bytes.NewReader(data)} }

// asked is a middleware that keeps whom it was asked about.
type asked struct{ clients []net.Addr }

func (a *asked) Decide(_ context.Context, client *Client) error {
	a.clients = append(a.clients, client.RemoteAddr())
	return nil
}

// quiet is a config that logs nothing.
var quiet = &caddy.Config{Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{
	WriterRaw: []byte(`{"output": "discard"}`), Level: "ERROR",
}}}}}

// FuzzProxyHeader has anything come before a connection that has to begin with a PROXY header. Middleware is asked
// about the client of a header, once, and never about a connection without one.
func FuzzProxyHeader(f *testing.F) {
	header := &proxyproto.Header{Version: 2, Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv6, SourceAddr: peerAddr, DestinationAddr: localAddr}
	formatted, err := header.Format()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(formatted)
	for _, text := range []string{
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello", "PROXY TCP6 ::1 ::2 1 2\r\n", "PROXY UNKNOWN\r\n", "PROXY", "hello", "",
		"PROXY TCP4 192.0.2.1 x 1 2\r\n", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00hello", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x02hello",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8" + strings.Repeat("a", 216), "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n\x16\x03",
	} {
		f.Add([]byte(text))
	}
	ctx, err := caddy.ProvisionContext(quiet)
	if err != nil {
		f.Fatal(err)
	}
	handler := new(l4proxyprotocol.Handler)
	if err := handler.Provision(ctx); err != nil {
		f.Fatal(err)
	}
	discard := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, data []byte) {
		who := new(asked)
		m := &Matcher{
			chain: []link{{who, "asked"}}, punctual: true, key: "key", Timeout: caddy.Duration(time.Minute),
			logger: discard, refusals: loglimit.NewLogger(discard, 0, 0),
		}
		over := make(chan struct{})
		go func() {
			defer close(over)
			_ = handler.Handle(layer4.WrapConnection(connOf(data), nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
				_, err := m.Match(cx)
				return err
			}))
		}()
		<-over
		header, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(data), layer4.MaxBufLen))
		if err != nil {
			if len(who.clients) > 0 {
				t.Errorf("asked about %v, though %v", who.clients, err)
			}
			return
		}
		var want net.Addr = peerAddr
		if !header.Command.IsLocal() && header.SourceAddr != nil {
			want = header.SourceAddr
		}
		if len(who.clients) != 1 || !reflect.DeepEqual(who.clients[0], want) {
			t.Errorf("asked about %v, want %v", who.clients, want)
		}
	})
}

// FuzzAwaitsHello looks at anything as a ClientHello: more bytes never make one incomplete that was complete.
func FuzzAwaitsHello(f *testing.F) {
	f.Add([]byte("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), 3)
	f.Add([]byte("\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x04\x00\x00\x01\x00"), 6)
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n <= 0 || n > len(data) || awaitsHello(data[:n]) {
			return
		}
		if awaitsHello(data) {
			t.Errorf("%q is complete, but %q is not", data[:n], data)
		}
	})
}
