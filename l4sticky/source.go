package l4sticky

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/upstreams"
)

// A poolSource is the watch of a source for all configs of a pool that have it.
type poolSource struct {
	*names.Watch[target.Config]
	users []*poolConfig    // the newest last, whose source is asked; guarded by the pool's lock
	lines loglimit.Limiter // of the log lines about look-ups that failed
}

// unsyncedWatchSource has the config's source asked from now on, and returns what is closed when that was done. The lock must be held.
func (c *poolConfig) unsyncedWatchSource() <-chan struct{} {
	p, s := c.pool, c.settings.dynamic
	w := p.sources[s.key]
	if w == nil {
		w = new(poolSource)
		w.lines = loglimit.Limiter{Lines: 1, Window: time.Minute, LeftOut: func(lines int) {
			p.newestLogger().Warn("looking up upstreams failed again and again", zap.String("source", s.name), zap.Int("left_out", lines))
		}}
		if p.sources == nil {
			p.sources = make(map[string]*poolSource)
		}
		p.sources[s.key] = w
		w.Watch = names.NewWatch(s.times(c.times), compareUpstreams,
			func(ctx context.Context) ([]target.Config, error) { return p.askSource(ctx, w) },
			names.Events[target.Config]{
				Changed: func(all, appeared, left []target.Config) { p.sourceChanged(w, s.name, all, appeared, left) },
				Failed: func(err error) {
					if w.lines.Admit() {
						p.newestLogger().Warn("looking up upstreams failed", zap.String("source", s.name), zap.Bool("known", w.All() != nil), zap.Error(err))
					}
				},
			})
	}
	w.users = append(w.users, c)
	w.SetTimes(s.times(c.times))
	c.source = w
	c.unsyncedTakeDynamic(w.All()) // that other configs have found
	return w.First()
}

// unsyncedForgetSource gives the watch of the config's source back, if it has one. The lock must be held.
func (c *poolConfig) unsyncedForgetSource() {
	w := c.source
	if w == nil {
		return
	}
	c.source = nil
	w.users = slices.DeleteFunc(w.users, func(other *poolConfig) bool { return other == c })
	if len(w.users) == 0 {
		w.Close()
		delete(c.pool.sources, c.settings.dynamic.key)
	}
}

// compareUpstreams is 0 for the same address.
func compareUpstreams(a, b target.Config) int {
	return strings.Compare(a.Address.String(), b.Address.String())
}

// newestSource returns the source to ask, or nil if no config has it any more.
func (p *pool) newestSource(w *poolSource) *dynamicSource {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w == nil || len(w.users) == 0 {
		return nil
	}
	return w.users[len(w.users)-1].settings.dynamic
}

var errNoSource = errors.New("no config has the source any more")

// askSource returns what a source finds. Upstreams that are wrong are left out, and there is an error then.
func (p *pool) askSource(ctx context.Context, w *poolSource) ([]target.Config, error) {
	s := p.newestSource(w)
	if s == nil {
		return nil, errNoSource
	}
	found, err := s.Lookup(ctx)
	faults := []error{err}
	configs := make([]target.Config, 0, len(found))
	for _, u := range found {
		config, err := dynamicConfig(u)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		configs = append(configs, config)
	}
	// Of an address that comes twice the one with the lowest rank counts, and of these the heaviest, on every node.
	slices.SortFunc(configs, func(a, b target.Config) int {
		return cmp.Or(compareUpstreams(a, b), cmp.Compare(a.Backup, b.Backup), cmp.Compare(b.Weight, a.Weight))
	})
	return configs, errors.Join(faults...)
}

// dynamicConfig checks what a source has found, and returns it as the target set knows it.
func dynamicConfig(u upstreams.Upstream) (target.Config, error) {
	none := target.Config{}
	if strings.ContainsAny(u.Address, "{}") {
		return none, fmt.Errorf("upstream %s: a source's addresses have no placeholders", u.Address)
	}
	address, err := dialAddress(u.Address)
	switch {
	case err != nil:
		return none, err
	case address.Network == "unix":
		return none, fmt.Errorf("upstream %s: a source has no Unix sockets", u.Address)
	case u.Weight < 0 || u.Weight > target.MaxWeight:
		return none, fmt.Errorf("upstream %s: weight: %d is not from 0 to %d", u.Address, u.Weight, target.MaxWeight)
	case u.MaxConnections < 0:
		return none, fmt.Errorf("upstream %s: max_connections: %d is negative", u.Address, u.MaxConnections)
	case u.Backup < 0:
		return none, fmt.Errorf("upstream %s: backup: %d is negative", u.Address, u.Backup)
	}
	return target.Config{Address: address, Weight: max(1, u.Weight), MaxConnections: u.MaxConnections, Backup: u.Backup, Drain: u.Drain}, nil
}

// sourceChanged gives the configs of a pool what a source has found. What is new waits until its names have been looked up.
func (p *pool) sourceChanged(w *poolSource, source string, all, appeared, left []target.Config) {
	ctx, cancel := context.WithTimeout(context.Background(), names.LookupTimeout)
	defer cancel()
	awaitAll(ctx, p.takeDynamic(w, all))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range w.users {
		c.unsyncedPlaceTargets()
	}
	for _, u := range appeared {
		p.tell(upstreamAppeared, zap.String("source", source), zap.Stringer("upstream", u.Address))
	}
	for _, u := range left {
		p.tell(upstreamLeft, zap.String("source", source), zap.Stringer("upstream", u.Address))
	}
}

// takeDynamic has the names of what a source has found looked up, and returns what is closed when each was.
func (p *pool) takeDynamic(w *poolSource, all []target.Config) (firsts []<-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range w.users {
		firsts = append(firsts, c.unsyncedTakeDynamic(all)...)
	}
	return firsts
}

// unsyncedTakeDynamic is takeDynamic for one config. The names of what is not there any more are forgotten. The lock must be held.
func (c *poolConfig) unsyncedTakeDynamic(all []target.Config) (firsts []<-chan struct{}) {
	before := c.dynamic
	c.dynamic = make(map[target.Address]bool, len(all))
	var others []target.Config
	for _, u := range all {
		if !c.isListed(u.Address) {
			c.dynamic[u.Address] = true
			others = append(others, u)
		}
	}
	for a := range before {
		if !c.dynamic[a] {
			c.unsyncedForgetName(a)
		}
	}
	source := c.settings.dynamic
	key := ""
	if _, resolves := source.Source.(upstreams.NameResolver); resolves {
		key = source.key
	}
	return c.unsyncedWatchNames(others, key, source.times(c.times))
}

// isListed reports whether the config itself has an upstream, whose settings count then.
func (c *poolConfig) isListed(a target.Address) bool {
	return slices.ContainsFunc(c.settings.upstreams, func(u target.Config) bool { return u.Address == a })
}

// unsyncedDynamic returns the targets of what the config's source has found. A name that was not resolved yet is none. The lock must be held.
func (c *poolConfig) unsyncedDynamic() (configs []target.Config) {
	if c.source == nil {
		return nil
	}
	for _, u := range c.source.All() {
		switch w := c.names[u.Address]; {
		case !c.dynamic[u.Address]:
		case w == nil:
			configs = append(configs, u)
		case w.All() != nil:
			configs = append(configs, expand(u, w.All())...)
		}
	}
	return configs
}

// resolverOf returns what looks up the names of the upstreams of a source, or of a config's if the key is empty.
func (p *pool) resolverOf(key string) upstreams.NameResolver {
	if key == "" {
		return systemResolver
	}
	p.mu.Lock()
	w := p.sources[key]
	p.mu.Unlock()
	if s := p.newestSource(w); s != nil {
		return s.Source.(upstreams.NameResolver)
	}
	return noResolver{}
}

// noResolver stands for the source that is gone while its last look-ups end.
type noResolver struct{}

func (noResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return nil, errNoSource
}
