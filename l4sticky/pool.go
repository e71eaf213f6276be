package l4sticky

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
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
	name           string
	sessions       *sessionTable
	registry       *target.Registry
	open           atomic.Int64  // connections that hold the pool
	waiting        atomic.Int64  // connections that wait for a target that is full
	closesWhenDown atomic.Bool   // a handler has been there whose connections are reset when their target is taken out
	emptied        chan struct{} // receives a value when the last of them has ended
	counts         *counts       // for the metrics

	sharing    atomic.Pointer[sharing] // nil while the sessions are not shared; it changes with the lock held
	told       <-chan struct{}         // is closed when the last sharing has ended, nil if there was none; guarded by the lock
	storeLines loglimit.Limiter        // of the log lines about the store

	operating sync.Mutex                // is held while an operator sets something, or what another node has told is set
	heard     map[*target.Target]string // what was set last, as nodes tell each other; guarded by operating
	drains    drains
	keeper    keeper
	starts    slowStarts
	rebalance atomic.Pointer[rebalance] // the last one, nil before the first

	mu      sync.Mutex
	names   map[hostName]*poolName     // that configs have
	sources map[string]*poolSource     // by their keys
	configs []*poolConfig              // one for each config that has the pool, the newest last
	stop    stopTerms                  // of the last config that had the pool, once no config has it
	applied atomic.Pointer[poolConfig] // the config whose limits and health checks count, nil if no config has the pool; it changes with the lock held
	checks  map[task]*checker

	validated bool // the last config that had the pool was only validated
}

func newPool(name string) (caddy.Destructor, error) {
	p := &pool{
		name:     name,
		registry: target.NewRegistry(monotonic),
		emptied:  make(chan struct{}, 1),
		counts:   newCounts(),
		keeper:   keeper{fresh: true},
	}
	p.sessions = session.NewWithHooks(monotonic, defaultExpiry, defaultMaxSessions, session.Hooks[*target.Target]{Note: p.note, Lookup: p.lookUp})
	p.storeLines = loglimit.Limiter{Lines: 10, Window: time.Minute, LeftOut: func(lines int) {
		p.tell(storeFailed, zap.Int("left_out", lines))
	}}
	return p, nil
}

// Destruct clears the sessions when neither a handler nor a connection uses the pool any more, and has them written before if the
// last config wanted that.
func (p *pool) Destruct() error {
	p.part()
	p.finish()
	if p.validated { // the process ends without a call of endAll
		partings.Wait()
	}
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

// join adds a handler of the config that is being provisioned to its pool. Running configs are not affected. The handler
// must call quit when it is cleaned up.
func join(ctx caddy.Context, options Options, upstreams []target.Config, dynamic *dynamicSource) (*poolConfig, error) {
	s, err := newSettings(options, upstreams, dynamic)
	if err != nil {
		return nil, err
	}
	s.nameIn(ctx)
	options = s.options
	value, _, err := pools.LoadOrNew(options.Pool, func() (caddy.Destructor, error) { return newPool(options.Pool) })
	if err != nil {
		return nil, err
	}
	c, err := value.(*pool).join(ctx, s)
	if err != nil {
		_, _ = pools.Delete(options.Pool)
	}
	return c, err
}

func (p *pool) join(ctx caddy.Context, s settings) (*poolConfig, error) {
	if c, err := p.joinAgain(ctx, s); c != nil || err != nil {
		return c, err
	}
	store, err := openSessionStore(ctx, s.options)
	if err != nil {
		return nil, err
	}
	defer store.release()
	c, err := p.joinFirst(ctx, s, store)
	p.awaitStore(ctx.GetMetricsRegistry())
	return c, err
}

// joinAgain is join for a handler whose config another one has joined with. It returns nil if there is none.
func (p *pool) joinAgain(ctx caddy.Context, s settings) (*poolConfig, error) {
	config := ctx.GetMetricsRegistry()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.configs {
		if c.config == config {
			if err := inPool(p.name, c.settings.checkAgreement(s)); err != nil {
				return nil, err
			}
			c.users++
			return c, nil
		}
	}
	return nil, nil
}

// joinFirst is join for the first handler of its config, with a session store, which may be nil. Caddy provisions one handler at a time.
func (p *pool) joinFirst(ctx caddy.Context, s settings, store *openStore) (*poolConfig, error) {
	config := ctx.GetMetricsRegistry()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := registerMetrics(config); err != nil {
		return nil, err
	}
	c := &poolConfig{
		pool:         p,
		run:          &run{ctx: ctx},
		config:       config,
		users:        1,
		settings:     s,
		targets:      target.NewSet(p.registry, target.PlacementNamed(s.options.Placement), time.Duration(s.options.SlowStart), s.upstreams),
		deactivation: time.Duration(s.options.DeactivationDuration),
		logger:       ctx.Logger(),
	}
	c.events = newEmitter(c)
	if store != nil {
		c.store = store.use()
	}
	p.configs = append(p.configs, c)
	if len(p.configs) == 1 {
		p.unsyncedApply(c)
	}
	return c, nil
}

// remove takes one handler from a poolConfig and reports whether it was the last one.
func (p *pool) remove(c *poolConfig) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.users--; c.users > 0 {
		return false
	}
	p.configs = slices.DeleteFunc(p.configs, func(other *poolConfig) bool { return other == c })
	c.gone.Store(true)
	defer p.registry.Wake() // those that wait go on by the config that is left
	c.unsyncedForget()
	c.targets.Close()
	defer c.store.release()
	p.keeper.ran = p.keeper.ran || c.kept != nil && c.run.hasRun()
	if n := len(p.configs); n > 0 {
		p.unsyncedApply(p.configs[n-1])
	} else {
		p.stop = c.stop
		p.validated = c.run.wasValidated()
		p.unsyncedApply(nil)
	}
	return true
}

// unsyncedApply makes a config the one whose limits of the sessions count, and whose health checks. It is nil if no config has the
// pool any more. The lock must be held.
func (p *pool) unsyncedApply(c *poolConfig) {
	before := p.applied.Swap(c)
	p.unsyncedCheckTargets()
	if c != nil {
		if before != nil {
			c.tellRemoved(before.targets.Members())
		}
		p.watchDrains()
		p.watchSlowStarts()
		p.unsyncedKeep(c)
		p.sessions.SetLimits(time.Duration(c.settings.options.SessionExpiry), c.settings.options.MaxSessions)
		p.unsyncedShare(c)
	}
}
