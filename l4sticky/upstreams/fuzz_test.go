package upstreams

import (
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse/parsetest"
)

const fixtures = "../../integration/testdata/*/dynamic*.txt"

// FuzzA reads anything as the options of the source `a`.
func FuzzA(f *testing.F) {
	const object = `{"name": "app.internal", "port": "80", "versions": ["ipv4"], "resolvers": ["10.0.0.53"], "refresh": "1s"}`
	parsetest.FuzzOptions(f, fixtures, "a", object, func() *A { return new(A) }, func(t *testing.T, a *A) {
		if a.Provision(caddy.Context{}) == nil && (a.upstream.Address == "" || a.resolver == nil) {
			t.Errorf("%+v was taken", a)
		}
	})
}

// FuzzSRV reads anything as the options of the source `srv`.
func FuzzSRV(f *testing.F) {
	const object = `{"name": "example.com", "service": "game", "proto": "tcp", "resolvers": ["[::1]:53"], "refresh": "1s"}`
	parsetest.FuzzOptions(f, fixtures, "srv", object, func() *SRV { return new(SRV) }, func(t *testing.T, s *SRV) {
		if s.Provision(caddy.Context{}) == nil && (s.Name == "" || s.resolver == nil) {
			t.Errorf("%+v was taken", s)
		}
	})
}
