package l4sticky

import (
	"maps"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// TestPoolNames gives handlers that name no pool one, which outlives reloads that change some of their upstreams.
func TestPoolNames(t *testing.T) {
	handler := func(pool string, upstreams ...string) *settings {
		s := &settings{options: Options{Pool: pool}}
		for _, u := range upstreams {
			s.upstreams = append(s.upstreams, target.Config{Address: target.Address{Network: "tcp", Dial: u + ":80"}})
		}
		return s
	}
	for name, c := range map[string]struct {
		handlers []*settings
		running  map[string][]string
		want     []string
	}{
		"one":               {[]*settings{handler("", "a", "b")}, nil, []string{"default"}},
		"one twice":         {[]*settings{handler("", "a", "b"), handler("", "b", "a")}, nil, []string{"default", "default"}},
		"two":               {[]*settings{handler("", "a"), handler("", "b")}, nil, []string{"default", "b:80"}},
		"related":           {[]*settings{handler("", "a"), handler("", "b"), handler("", "a", "b")}, nil, []string{"default", "default", "default"}},
		"named":             {[]*settings{handler("x", "a"), handler("", "b")}, nil, []string{"x", "default"}},
		"default is taken":  {[]*settings{handler("default", "a"), handler("", "b")}, nil, []string{"default", "b:80"}},
		"all is taken":      {[]*settings{handler("default", "a"), handler("b:80", "c"), handler("", "b")}, nil, []string{"default", "b:80", "default-2"}},
		"another order":     {[]*settings{handler("", "b"), handler("", "a")}, map[string][]string{"default": {"a:80"}, "b:80": {"b:80"}}, []string{"b:80", "default"}},
		"some have changed": {[]*settings{handler("", "b", "c"), handler("", "d", "a")}, map[string][]string{"default": {"a:80", "x:80"}, "b:80": {"b:80"}}, []string{"b:80", "default"}},
		"one is left":       {[]*settings{handler("", "b")}, map[string][]string{"default": {"a:80"}, "b:80": {"b:80"}}, []string{"b:80"}},
		"all have changed":  {[]*settings{handler("", "c")}, map[string][]string{"default": {"a:80"}}, []string{"default"}},
		"most in common":    {[]*settings{handler("", "a", "b"), handler("", "c")}, map[string][]string{"p": {"a:80", "b:80"}, "q": {"a:80", "c:80"}}, []string{"p", "q"}},
		"joined":            {[]*settings{handler("", "a", "b")}, map[string][]string{"default": {"a:80"}, "b:80": {"b:80"}}, []string{"b:80"}},
	} {
		t.Run(name, func(t *testing.T) {
			all, taken := groups(c.handlers), make(map[string]bool)
			for _, s := range c.handlers {
				taken[s.options.Pool] = true
			}
			namePools(all, maps.Clone(c.running), taken)
			for i, s := range c.handlers {
				if s.inGroup(all); s.options.Pool != c.want[i] {
					t.Errorf("handler %d has the pool %q, want %q", i, s.options.Pool, c.want[i])
				}
			}
		})
	}
}
