package l4sticky

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// A poolGroup is the handlers of a config that name no pool and have upstreams in common, so that they are one.
type poolGroup struct {
	upstreams []string // each once
	name      string
}

// groups returns the groups of the handlers of a config that name no pool, in the order of their first handlers.
func groups(handlers []*settings) (all []*poolGroup) {
	for _, s := range handlers {
		if s.options.Pool != "" {
			continue
		}
		g := &poolGroup{upstreams: s.keys()}
		related := func(other *poolGroup) bool { return g.common(other.upstreams) > 0 }
		i := slices.IndexFunc(all, related)
		for _, other := range all {
			if related(other) {
				g.upstreams = append(other.upstreams, g.upstreams...)
			}
		}
		all = slices.DeleteFunc(all, related)
		slices.Sort(g.upstreams)
		g.upstreams = slices.Compact(g.upstreams)
		if i < 0 {
			i = len(all)
		}
		all = slices.Insert(all, i, g)
	}
	return all
}

// keys returns what tells the upstreams of a handler from others.
func (s *settings) keys() (keys []string) {
	for _, u := range s.upstreams {
		keys = append(keys, canonical(u.Address).String())
	}
	if s.dynamic != nil {
		keys = append(keys, s.dynamic.key)
	}
	return keys
}

// common returns how many upstreams a group has in common with a list.
func (g *poolGroup) common(upstreams []string) (n int) {
	for _, u := range g.upstreams {
		if slices.Contains(upstreams, u) {
			n++
		}
	}
	return n
}

// namePools gives the groups of a config the names of running pools that have upstreams in common with them, so that sessions outlive
// a reload that changes some. The others get `default`, or the name of their first upstream. Taken are the names that handlers of the
// config give themselves.
func namePools(all []*poolGroup, running map[string][]string, taken map[string]bool) {
	type pair struct {
		group  *poolGroup
		name   string
		common int
	}
	var pairs []pair
	for _, g := range all {
		for name, upstreams := range running {
			if n := g.common(upstreams); n > 0 {
				pairs = append(pairs, pair{g, name, n})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Or(b.common-a.common, cmp.Compare(a.name, b.name)) })
	give := func(g *poolGroup, name string) {
		if g.name == "" && !taken[name] {
			g.name, taken[name] = name, true
		}
	}
	for _, p := range pairs {
		give(p.group, p.name)
	}
	for _, g := range all {
		give(g, defaultPool)
		for _, u := range g.upstreams {
			give(g, u)
		}
		for n := 2; g.name == ""; n++ {
			give(g, fmt.Sprintf("%s-%d", defaultPool, n))
		}
	}
}

// unnamedPools returns the upstreams of the pools that run and that no handler has named, but for those of a config that is being loaded.
func unnamedPools(loading *prometheus.Registry) map[string][]string {
	running := make(map[string][]string)
	for _, c := range appliedConfigs() {
		if c.settings.unnamed && c.config != loading {
			running[c.name] = c.settings.keys()
		}
	}
	return running
}

// namedGroups returns the groups of the handlers of a config with their names.
func namedGroups(handlers []*settings, loading *prometheus.Registry) []*poolGroup {
	taken := make(map[string]bool)
	for _, s := range handlers {
		taken[s.options.Pool] = true
	}
	all := groups(handlers)
	namePools(all, unnamedPools(loading), taken)
	return all
}

// inGroup gives the settings of a handler without a pool the name of its group.
func (s *settings) inGroup(all []*poolGroup) {
	if s.options.Pool != "" {
		return
	}
	s.unnamed, s.options.Pool = true, defaultPool
	for _, g := range all {
		if g.common(s.keys()) > 0 {
			s.options.Pool = g.name
		}
	}
}

// poolNames keeps the groups of the config that is being loaded, all handlers of which must come to the same names.
var poolNames struct {
	mu     sync.Mutex
	config *prometheus.Registry
	groups []*poolGroup
}

// nameIn gives the settings of a handler without a pool the name that it has in the config that is being loaded.
func (s *settings) nameIn(ctx caddy.Context) {
	if s.options.Pool != "" {
		return
	}
	poolNames.mu.Lock()
	defer poolNames.mu.Unlock()
	if config := ctx.GetMetricsRegistry(); poolNames.config != config {
		var handlers []*settings
		for _, app := range []string{"layer4", "http"} {
			var document any
			if json.Unmarshal(rawApp(ctx, app), &document) == nil {
				some, _ := plannedHandlers(document) // a handler that is wrong tells so itself
				handlers = append(handlers, some...)
			}
		}
		poolNames.config, poolNames.groups = config, namedGroups(handlers, config)
	}
	s.inGroup(poolNames.groups)
}
