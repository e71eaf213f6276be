package l4sticky

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// pools holds the live state of all pools by name, which outlives the configs that use it.
var pools = caddy.NewUsagePool()

type (
	sessionTable  = session.Table[*target.Target]
	clientSession = session.Session[*target.Target]
)

var started = time.Now()

// monotonic is the clock of sessions and targets.
func monotonic() time.Duration { return time.Since(started) }

// A pool is the state that handlers of the same pool name share: the sessions and the targets' health. It
// is kept as long as a handler or an open connection uses it.
type pool struct {
	name     string
	sessions *sessionTable
	registry *target.Registry
	open     atomic.Int64  // connections that hold the pool
	emptied  chan struct{} // receives a value when the last of them has ended

	mu       sync.Mutex
	variants []*variant    // one for each config that has the pool, the newest last
	grace    time.Duration // of the last config that had the pool, once no config has it
}

func newPool(name string) (caddy.Destructor, error) {
	return &pool{
		name:     name,
		sessions: session.New[*target.Target](monotonic, defaultExpiry, defaultMaxSessions),
		registry: target.NewRegistry(monotonic),
		emptied:  make(chan struct{}, 1),
	}, nil
}

// Destruct clears the sessions when neither a handler nor a connection uses the pool any more.
func (p *pool) Destruct() error {
	p.sessions.Clear()
	return nil
}

// enter counts an open connection and returns how many there are. The pool outlives its configs until every connection
// has called leave.
func (p *pool) enter() int64 {
	open := p.open.Add(1)
	if open == 1 {
		pools.LoadOrStore(p.name, p)
	}
	return open
}

func (p *pool) leave() {
	if p.open.Add(-1) == 0 {
		_, _ = pools.Delete(p.name)
		select {
		case p.emptied <- struct{}{}:
		default:
		}
	}
}

// A variant is a pool with the settings of one config. The handlers of that config share it. Its settings never
// change, so a connection keeps the settings under which it came while configs come and go.
type variant struct {
	*pool
	run          *run
	config       *prometheus.Registry // identifies the config, since each has its own
	users        int                  // handlers that have joined; guarded by the pool's lock
	grace        time.Duration        // the longest of the handlers'; guarded by the pool's lock
	settings     settings
	targets      *target.Set
	deactivation time.Duration
}

// settings are what all handlers of a pool must have in common within one config.
type settings struct {
	upstreams []target.Config
	options   Options
}

// join adds a handler of the config that is being provisioned to its pool. Running configs are not affected. The handler
// must call quit when it is cleaned up.
func join(ctx caddy.Context, options Options, upstreams []target.Config) (*variant, error) {
	if len(upstreams) == 0 {
		return nil, fmt.Errorf("no upstreams are given; at least one is needed")
	}
	placement := target.PlacementNamed(options.Placement)
	if err := checkDuplicates(placement, upstreams); err != nil {
		return nil, err
	}
	if !placement.Ordered { // two handlers need not have the same order
		upstreams = slices.SortedFunc(slices.Values(upstreams), func(a, b target.Config) int {
			return strings.Compare(a.Address.String(), b.Address.String())
		})
	}
	value, _, err := pools.LoadOrNew(options.Pool, func() (caddy.Destructor, error) { return newPool(options.Pool) })
	if err != nil {
		return nil, err
	}
	v, err := value.(*pool).join(ctx, settings{upstreams, options})
	if err != nil {
		_, _ = pools.Delete(options.Pool)
	}
	return v, err
}

func (p *pool) join(ctx caddy.Context, s settings) (*variant, error) {
	config := ctx.GetMetricsRegistry()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, v := range p.variants {
		if v.config == config {
			if err := v.settings.checkAgreement(s); err != nil {
				return nil, fmt.Errorf("pool '%s': %w; name a pool for each with the pool option", p.name, err)
			}
			v.users++
			return v, nil
		}
	}
	registerMetrics(config)
	v := &variant{
		pool:         p,
		run:          &run{ctx: ctx},
		config:       config,
		users:        1,
		settings:     s,
		targets:      target.NewSet(p.registry, target.PlacementNamed(s.options.Placement), s.upstreams),
		deactivation: time.Duration(s.options.DeactivationDuration),
	}
	p.variants = append(p.variants, v)
	if len(p.variants) == 1 {
		p.unsyncedApply(v)
	}
	return v, nil
}

// extendGrace makes the grace period that the pool's connections get when Caddy exits at least that long.
func (v *variant) extendGrace(grace time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.grace = max(v.grace, grace)
}

// quit undoes one join. When the last handler of a config has quit, the limits of the sessions become those of the
// newest config that remains: the new one after a reload, the old one after a reload that failed.
func (v *variant) quit() {
	if caddy.Exiting() {
		exitBegan()
	}
	last := v.pool.remove(v)
	_, _ = pools.Delete(v.pool.name)
	if last {
		closeLeftovers(v.run.ctx)
	}
}

// remove takes one handler from a variant and reports whether it was the last one.
func (p *pool) remove(v *variant) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if v.users--; v.users > 0 {
		return false
	}
	p.variants = slices.DeleteFunc(p.variants, func(other *variant) bool { return other == v })
	v.targets.Close()
	if n := len(p.variants); n > 0 {
		p.unsyncedApply(p.variants[n-1])
	} else {
		p.grace = v.grace
	}
	return true
}

// unsyncedApply sets the limits of the sessions. The lock must be held.
func (p *pool) unsyncedApply(v *variant) {
	p.sessions.SetLimits(time.Duration(v.settings.options.SessionExpiry), v.settings.options.MaxSessions)
}

// checkAgreement returns an error that names what differs between two handlers of a config that share a pool.
func (s settings) checkAgreement(other settings) error {
	if !slices.Equal(s.upstreams, other.upstreams) {
		return fmt.Errorf("two handlers have different upstreams (%s and %s)", describe(s.upstreams), describe(other.upstreams))
	}
	if err := s.options.table().CheckSame(other.options.table()); err != nil {
		return fmt.Errorf("two handlers have %w", err)
	}
	return nil
}

// describe lists upstreams for an error.
func describe(upstreams []target.Config) string {
	text := ""
	for i, u := range upstreams {
		if i > 0 {
			text += ", "
		}
		text += u.Address.String()
		if u.Weight != 1 {
			text += fmt.Sprintf(" weight %d", u.Weight)
		}
		if u.MaxConnections > 0 {
			text += fmt.Sprintf(" max_connections %d", u.MaxConnections)
		}
		if u.Backup {
			text += " backup"
		}
	}
	return text
}

// checkDuplicates returns an error if an address comes twice, which is a mistake unless the placement makes use of it.
func checkDuplicates(placement *target.Placement, upstreams []target.Config) error {
	seen := make(map[target.Address]target.Config)
	for _, u := range upstreams {
		first, twice := seen[u.Address]
		switch {
		case twice && !placement.Duplicates:
			return fmt.Errorf("upstream %s is given twice; use weight to give it a larger share", u.Address)
		case twice && (first.Backup != u.Backup || first.MaxConnections != u.MaxConnections):
			return fmt.Errorf("upstream %s is given twice, with different settings", u.Address)
		}
		seen[u.Address] = u
	}
	return nil
}
