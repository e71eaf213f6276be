package middleware

import (
	"testing"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
)

func TestSyntaxNamesAllOptions(t *testing.T) {
	parsetest.CheckSyntax(t, "matcher.go", "Matcher.UnmarshalCaddyfile", new(Matcher).table())
	parsetest.CheckSyntax(t, "script.go", "Script.UnmarshalCaddyfile", new(Script).table())
	parsetest.CheckSyntax(t, "ratelimit.go", "RateLimit.UnmarshalCaddyfile", new(RateLimit).table())
	parsetest.CheckSyntax(t, "authorize.go", "Authorize.UnmarshalCaddyfile", new(Authorize).table())
}
