package connchain

import (
	"crypto/tls"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pires/go-proxyproto"
)

// wrapper is how caddy-l4 wraps a connection: by value or by pointer, with the connection embedded.
type wrapper struct {
	net.Conn
	io.Reader
}

func (w wrapper) Read(p []byte) (int, error) { return w.Reader.Read(p) }

func wrap(conn net.Conn) *wrapper { return &wrapper{conn, conn} }

func TestBottom(t *testing.T) {
	tcp := new(net.TCPConn)
	for name, conn := range map[string]net.Conn{
		"itself":         tcp,
		"proxy protocol": proxyproto.NewConn(wrap(tcp)),
		"by value":       *wrap(wrap(tcp)),
		"by pointer":     wrap(wrap(tcp)),
		"tls":            tls.Server(wrap(tcp), nil),
		"many":           wrap(*wrap(proxyproto.NewConn(tls.Server(wrap(wrap(tcp)), nil)))),
	} {
		if bottom := Bottom(conn); bottom != net.Conn(tcp) {
			t.Errorf("%s: at the bottom is %T", name, bottom)
		}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Inner(a) != nil || Inner(wrapper{}) != nil || Inner(nil) != nil || Bottom(nil) != nil {
		t.Error("something is found where nothing is")
	}
	if Socket(a) != nil || Socket(tcp) != nil || Socket(nil) != nil {
		t.Error("a socket is found where none is")
	}
}

func TestSocket(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if Socket(wrap(tls.Client(wrap(conn), nil))) == nil {
		t.Error("no socket is found")
	}
}

const header = "PROXY TCP4 192.0.2.2 192.0.2.1 1234 80\r\n"

// peer returns the end of a connection of which the other end says something.
func peer(t *testing.T, say string) net.Conn {
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	go func() { _, _ = io.WriteString(b, say) }()
	return a
}

// A header that is wrong is found under any wrappers; one that is right is not touched, nor what follows it.
func TestHeaderError(t *testing.T) {
	layers := map[string]func(net.Conn) net.Conn{
		"bare":    func(c net.Conn) net.Conn { return proxyproto.NewConn(c) },
		"wrapped": func(c net.Conn) net.Conn { return wrap(*wrap(proxyproto.NewConn(wrap(c)))) },
		"below": func(c net.Conn) net.Conn {
			return proxyproto.NewConn(wrap(proxyproto.NewConn(c)), proxyproto.WithPolicy(proxyproto.USE))
		},
		"tls": func(c net.Conn) net.Conn { return tls.Server(proxyproto.NewConn(c), nil) },
	}
	for name, layer := range layers {
		for text, good := range map[string]bool{
			header + "hello":                 true,
			"hello, this is not a header":    false,
			"PROXY TCP4 x y z\r\nhello":      false,
			"PROXY UNKNOWN\r\n" + "hello":    true,
			"\r\n\r\n\x00\r\nQUIT\nnonsense": false,
		} {
			conn := layer(peer(t, text))
			for range 2 {
				if err := HeaderError(conn); (err == nil) != good {
					t.Errorf("%s: %q: %v", name, text, err)
				}
			}
			if good && name != "tls" {
				rest := make([]byte, 5)
				if _, err := io.ReadFull(conn, rest); err != nil || string(rest) != "hello" {
					t.Errorf("%s: %q: then came %q, %v", name, text, rest, err)
				}
			}
		}
	}
	if err := HeaderError(wrap(peer(t, "hello"))); err != nil {
		t.Errorf("without a header to wait for: %v", err)
	}
}

// A header that never comes is waited for no longer than the deadline of the connection or its own.
func TestHeaderThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, say := range []string{"", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0"} {
			for limit, prepare := range map[time.Duration]func(net.Conn) net.Conn{
				10 * time.Second: func(c net.Conn) net.Conn { return proxyproto.NewConn(c) },
				time.Second: func(c net.Conn) net.Conn {
					return proxyproto.NewConn(c, proxyproto.SetReadHeaderTimeout(time.Second))
				},
				3 * time.Second: func(c net.Conn) net.Conn {
					c = proxyproto.NewConn(c)
					_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
					return c
				},
			} {
				began, conn := time.Now(), prepare(peer(t, say))
				if err := HeaderError(wrap(conn)); err == nil {
					t.Errorf("after %q it is well", say)
				}
				if took := time.Since(began); took != limit {
					t.Errorf("after %q it took %v, want %v", say, took, limit)
				}
			}
		}
	})
}
