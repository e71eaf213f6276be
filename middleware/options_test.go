package middleware

import (
	"testing"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
)

func TestSyntaxNamesAllOptions(t *testing.T) {
	parsetest.CheckSyntax(t, "matcher.go", "(m *Matcher) UnmarshalCaddyfile", new(Matcher).table())
	parsetest.CheckSyntax(t, "ratelimit.go", "(r *RateLimit) UnmarshalCaddyfile", new(RateLimit).table())
	parsetest.CheckSyntax(t, "authorize.go", "(a *Authorize) UnmarshalCaddyfile", new(Authorize).table())
}
