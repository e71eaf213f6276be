package l4sticky

import (
	"testing"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
)

func TestSyntaxNamesAllOptions(t *testing.T) {
	parsetest.CheckSyntax(t, "handler.go", "(h *Handler) UnmarshalCaddyfile", new(Handler).table())
	parsetest.CheckSyntax(t, "upstream.go", "(u *Upstream) UnmarshalCaddyfile", new(Upstream).table(new(int)))
	parsetest.CheckSyntax(t, "healthcheck.go", "(c *HealthCheck) UnmarshalCaddyfile", new(HealthCheck).table())
	parsetest.CheckSyntax(t, "policy.go", "(p *SelectionPolicy) UnmarshalCaddyfile", new(SelectionPolicy).table())
	parsetest.CheckSyntax(t, "session.go", "(s *SessionHandler) UnmarshalCaddyfile", parse.Options{})
}
