package l4sticky

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/upstreams"
)

// aSource finds what a test tells it.
type aSource struct {
	found    []upstreams.Upstream
	err      error
	interval time.Duration
}

func (s *aSource) Lookup(context.Context) ([]upstreams.Upstream, error) { return s.found, s.err }
func (s *aSource) Interval() time.Duration                              { return s.interval }

// asking returns a pool whose only config has the source.
func asking(s *aSource) (*pool, *poolSource) {
	c := &poolConfig{settings: settings{dynamic: &dynamicSource{s, "test", "key"}}}
	w := &poolSource{users: []*poolConfig{c}}
	return &pool{}, w
}

// What is wrong in an answer is left out and named; the rest counts, in the same order on every node.
func TestAnswersOfSources(t *testing.T) {
	p, w := asking(&aSource{found: []upstreams.Upstream{
		{Address: "10.0.0.2:80", Backup: 1},
		{Address: "10.0.0.1:80", Weight: 5, MaxConnections: 9, Drain: true},
		{Address: "10.0.0.2:80", Weight: 7},
		{Address: "10.0.0.2:80", Weight: 8},
		{Address: "app.test"},
		{Address: "unix//run/socket"},
		{Address: "{env.HOME}:80"},
		{Address: "10.0.0.3:80-90"},
		{Address: "10.0.0.4:80", Weight: 65536},
		{Address: "10.0.0.5:80", MaxConnections: -1},
		{Address: "10.0.0.6:80", Backup: -1},
	}})
	got, err := p.askSource(t.Context(), w)
	at := func(dial string) target.Address { return target.Address{Network: "tcp", Dial: dial} }
	want := []target.Config{
		{Address: at("10.0.0.1:80"), Weight: 5, MaxConnections: 9, Drain: true},
		{Address: at("10.0.0.2:80"), Weight: 8},
		{Address: at("10.0.0.2:80"), Weight: 7},
		{Address: at("10.0.0.2:80"), Weight: 1, Backup: 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, fault := range []string{"app.test", "unix//run/socket", "{env.HOME}:80", "10.0.0.3:80-90", "weight: 65536", "max_connections: -1", "backup: -1"} {
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("the error does not say %q: %v", fault, err)
		}
	}
}

// Once no config has a source any more, nothing asks it.
func TestSourceWithoutConfig(t *testing.T) {
	p, w := asking(&aSource{found: []upstreams.Upstream{{Address: "10.0.0.1:80"}}})
	w.users = nil
	if got, err := p.askSource(t.Context(), w); !errors.Is(err, errNoSource) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := p.resolverOf("key").LookupNetIP(t.Context(), "ip", "localhost"); !errors.Is(err, errNoSource) {
		t.Errorf("got %v, %v", got, err)
	}
}

// A source has its own interval, or else that of the handler, or else the default.
func TestIntervalOfSource(t *testing.T) {
	for _, c := range []struct{ own, handlers, want time.Duration }{
		{0, 20 * time.Second, 20 * time.Second},
		{0, -1, defaultResolveInterval},
		{time.Minute, 20 * time.Second, time.Minute},
		{time.Minute, -1, time.Minute},
		{1, 20 * time.Second, names.MinPause},
	} {
		s := dynamicSource{Source: &aSource{interval: c.own}}
		if got := s.times(names.Times{Interval: c.handlers, Hold: 7}); got != (names.Times{Interval: c.want, Hold: 7}) {
			t.Errorf("%v of its own and %v of the handler's: %v", c.own, c.handlers, got)
		}
	}
}
