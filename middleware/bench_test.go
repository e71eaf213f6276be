package middleware

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
)

type open struct{}

func (open) Decide(context.Context, *Client) error { return nil }

// What a decision costs beside what the middlewares do.
func BenchmarkDecision(b *testing.B) { benchmarkDecision(b, link{open{}, "open"}) }

func benchmarkDecision(b *testing.B, chain ...link) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	conn, err := listener.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	m := &Matcher{Timeout: caddy.Duration(10 * time.Second), chain: chain, punctual: true}
	cx := layer4.WrapConnection(conn, nil, zap.NewNop())
	b.ReportAllocs()
	for b.Loop() {
		if v := m.decide(cx, cx.RemoteAddr()); !v.allowed {
			b.Fatal(v)
		}
	}
}
