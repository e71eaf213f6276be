package middleware

import (
	"context"
	"net"
	"os"
	"path/filepath"
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

// What a decision costs by a script that lets everybody in, all of the matcher's included.
func BenchmarkScriptDecision(b *testing.B) {
	path := filepath.Join(b.TempDir(), "balancer.js")
	text := `module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => next());`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: b.Context()})
	defer cancel()
	s := &Script{Path: path}
	if err := s.Provision(ctx); err != nil {
		b.Fatal(err)
	}
	benchmarkDecision(b, link{s, "script"})
	_ = s.Cleanup()
}
