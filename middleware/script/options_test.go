package script

import (
	"net"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
	"github.com/caddy-sticky/caddy-sticky/internal/clientip"
)

func TestSyntaxNamesAllOptions(t *testing.T) {
	parsetest.CheckSyntax(t, "script.go", "(s *Script) UnmarshalCaddyfile", new(Script).table())
}

func FuzzScriptOptions(f *testing.F) {
	parsetest.FuzzOptions(f, "../../integration/testdata/*/*.txt", "script", `{"path": "./balancer.js", "version": "1", "pool": "a"}`, func() *Script { return new(Script) }, func(t *testing.T, s *Script) {
		_ = clientip.AddrPort(&net.UnixAddr{Name: s.Path, Net: s.Pool})
	})
}
