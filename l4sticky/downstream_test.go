package l4sticky

import (
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/mholt/caddy-l4/layer4"
	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
)

// limited is how caddy-l4's handlers wrap a connection: by value or by pointer, with the connection embedded.
type limited struct {
	net.Conn
	io.Reader
}

func (l limited) Read(p []byte) (int, error) { return l.Reader.Read(p) }

func TestDownstream(t *testing.T) {
	tcp := new(net.TCPConn)
	cx := func(conn net.Conn) *layer4.Connection {
		return &layer4.Connection{Conn: conn, Logger: zap.NewNop()}
	}
	for name, conn := range map[string]net.Conn{
		"connection":     cx(tcp),
		"proxy protocol": proxyproto.NewConn(cx(tcp)),
		"by value":       limited{Conn: cx(tcp)},
		"by pointer":     &limited{Conn: cx(tcp)},
		"tls":            tls.Server(cx(tcp), nil),
		"many":           cx(limited{Conn: proxyproto.NewConn(cx(&limited{Conn: cx(tcp)}))}),
	} {
		t.Run(name, func(t *testing.T) {
			if isPacket(conn) {
				t.Error("it counts as a packet connection")
			}
			down, _ := downstream(cx(conn))
			if _, ok := down.(halfCloser); conn != net.Conn(tcp) && (!ok || connchain.Bottom(down) != net.Conn(tcp)) {
				t.Errorf("%T is relayed, want it to end one direction and to have its socket found", down)
			}
		})
	}
	for name, conn := range map[string]net.Conn{
		"datagrams":         datagrams{},
		"wrapped datagrams": cx(limited{Conn: proxyproto.NewConn(cx(datagrams{}))}),
		"udp":               new(net.UDPConn),
	} {
		if !isPacket(conn) {
			t.Errorf("%s does not count as a packet connection", name)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if down, _ := downstream(cx(a)); down.(*layer4.Connection).Conn != a {
		t.Error("a connection that can't end one direction is not relayed as it is")
	}
}
