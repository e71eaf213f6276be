package l4sticky

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4proxyprotocol"
	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"
)

// bytesConn is a connection of a peer that has sent some bytes and ended its direction.
type bytesConn struct {
	net.Conn
	reader *bytes.Reader
}

func (c *bytesConn) Read(p []byte) (int, error)     { return c.reader.Read(p) }
func (*bytesConn) Close() error                     { return nil }
func (*bytesConn) SetDeadline(time.Time) error      { return nil }
func (*bytesConn) SetReadDeadline(time.Time) error  { return nil }
func (*bytesConn) SetWriteDeadline(time.Time) error { return nil }
func (*bytesConn) Write(p []byte) (int, error)      { return len(p), nil }
func (*bytesConn) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9), Port: 9999} }

func (*bytesConn) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// quiet is a config that logs nothing.
var quiet = &caddy.Config{Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{
	WriterRaw: []byte(`{"output": "discard"}`), Level: "ERROR",
}}}}}

// FuzzProxyHeader has anything come before a connection that has to begin with a PROXY header. Without a right one,
// sticky_proxy dials nothing and sticky_session passes nothing on.
func FuzzProxyHeader(f *testing.F) {
	for _, text := range []string{
		"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nhello", "PROXY TCP6 ::1 ::2 1 2\r\n", "PROXY UNKNOWN\r\n", "PROXY", "hello", "",
		"PROXY TCP4 192.0.2.1 x 1 2\r\n", "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00hello",
		"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01\xc0\x00\x02\x02\x00\x01\x00\x02hello",
	} {
		f.Add([]byte(text))
	}
	ctx, err := caddy.ProvisionContext(quiet)
	if err != nil {
		f.Fatal(err)
	}
	proxyProtocol, session := new(l4proxyprotocol.Handler), new(SessionHandler)
	if err := errors.Join(proxyProtocol.Provision(ctx), session.Provision(ctx)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		h, _, _ := newBalancer(t, "127.0.0.1:1", "127.0.0.1:2")
		h.dialer.lines.LeftOut = func(int) {}
		dials, passed := 0, 0
		h.dialer.net.ControlContext = func(context.Context, string, string, syscall.RawConn) error {
			dials++
			return syscall.ECONNREFUSED
		}
		for _, handler := range []func(*layer4.Connection) error{
			func(cx *layer4.Connection) error { return h.Handle(cx, nil) },
			func(cx *layer4.Connection) error {
				return session.Handle(cx, layer4.HandlerFunc(func(*layer4.Connection) error { passed++; return nil }))
			},
		} {
			conn := &bytesConn{reader: bytes.NewReader(data)}
			if err := proxyProtocol.Handle(layer4.WrapConnection(conn, nil, zap.NewNop()), layer4.HandlerFunc(handler)); err != nil {
				t.Error(err)
			}
		}
		_, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(data), layer4.MaxBufLen))
		if err != nil && (dials > 0 || passed > 0) {
			t.Errorf("%d dials, %d passed on, though %v", dials, passed, err)
		}
		if err == nil && (dials == 0 || passed != 1) {
			t.Errorf("%d dials, %d passed on", dials, passed)
		}
	})
}
