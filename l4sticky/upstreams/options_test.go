package upstreams

import (
	"testing"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
)

func TestSyntaxNamesAllOptions(t *testing.T) {
	parsetest.CheckSyntax(t, "a.go", "(a *A) UnmarshalCaddyfile", new(A).table())
	parsetest.CheckSyntax(t, "srv.go", "(s *SRV) UnmarshalCaddyfile", new(SRV).table())
}
