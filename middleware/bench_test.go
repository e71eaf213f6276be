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
func BenchmarkDecision(b *testing.B) {
	conn, other := net.Pipe()
	defer conn.Close()
	defer other.Close()
	m := &Matcher{Timeout: caddy.Duration(10 * time.Second), chain: []link{{open{}, "open"}}}
	cx := layer4.WrapConnection(conn, nil, zap.NewNop())
	b.ReportAllocs()
	for b.Loop() {
		if v := m.decide(cx, cx.RemoteAddr()); !v.allowed {
			b.Fatal(v)
		}
	}
}
