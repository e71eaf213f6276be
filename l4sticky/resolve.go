package l4sticky

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

const (
	defaultResolveInterval = 10 * time.Second
	defaultResolveHold     = 60 * time.Second
	// firstAnswers is how long a config that is loaded waits for the first look-ups of its names, so that its first clients
	// find the targets that they stay with.
	firstAnswers = 2 * time.Second
)

// systemResolver asks the servers that the system asks.
var systemResolver = names.NewResolver()

// A hostName is what is looked up. The network tells the families of the addresses that count. With a source, it is that
// which looks the name up.
type hostName struct{ source, network, host string }

// A poolName is the watch of a name for all configs of a pool that have it.
type poolName struct {
	*names.Watch[netip.Addr]
	name  hostName
	users int              // upstreams of configs; guarded by the pool's lock
	lines loglimit.Limiter // of the log lines about look-ups that failed
}

// resolve has the source of upstreams asked, and the names of all upstreams looked up, in the background from now on. It waits a
// while for the first answers. It returns an error if another handler of the config has the pool with other times.
func (c *poolConfig) resolve(ctx context.Context, times names.Times) error {
	firsts, err := c.watch(times)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, firstAnswers)
	defer cancel()
	awaitAll(ctx, firsts)
	return nil
}

// awaitAll waits until all channels are closed, or the context ends.
func awaitAll(ctx context.Context, channels []<-chan struct{}) {
	for _, one := range channels {
		select {
		case <-one:
		case <-ctx.Done():
			return
		}
	}
}

// watch begins to watch the config's source and names, unless another handler has done that, and returns what is closed
// when each has been looked up.
func (c *poolConfig) watch(times names.Times) (firsts []<-chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.times {
	case times:
		return nil, nil
	case names.Times{}:
	default:
		return nil, fmt.Errorf("pool '%s': two handlers have different resolve_interval or resolve_hold (%v and %v, %v and %v); name a pool for each with the pool option",
			c.name, c.times.Interval, times.Interval, c.times.Hold, times.Hold)
	}
	c.times = times
	c.names = make(map[target.Address]*poolName)
	if times.Interval > 0 && !c.targets.Placement().Duplicates { // else a target is an entry of the config, whose name is looked up for each dial
		firsts = c.unsyncedWatchNames(c.settings.upstreams, "", times)
	}
	if c.settings.dynamic != nil {
		firsts = append(firsts, c.unsyncedWatchSource())
	}
	c.unsyncedPlaceTargets()
	return firsts, nil
}

// unsyncedWatchNames begins to watch the names of upstreams that are not watched yet for this config, and returns what is closed
// when each has been looked up. The lock must be held.
func (c *poolConfig) unsyncedWatchNames(upstreams []target.Config, source string, times names.Times) (firsts []<-chan struct{}) {
	for _, u := range upstreams {
		if name, ok := nameOf(u.Address, source); ok && c.names[u.Address] == nil {
			w := c.unsyncedWatch(name, times)
			c.names[u.Address] = w
			firsts = append(firsts, w.First())
		}
	}
	return firsts
}

// nameOf returns the name that an upstream's address has, and false if it has none.
func nameOf(a target.Address, source string) (hostName, bool) {
	host, _, ok := a.Split()
	if _, err := netip.ParseAddr(host); !ok || host == "" || err == nil {
		return hostName{}, false
	}
	return hostName{source, "ip" + a.Network[len("tcp"):], host}, true
}

// unsyncedWatch returns the pool's watch of a name for one more config. The lock must be held.
func (p *pool) unsyncedWatch(name hostName, times names.Times) *poolName {
	w := p.names[name]
	if w == nil {
		w = &poolName{name: name}
		w.lines = loglimit.Limiter{Lines: 1, Window: time.Minute, LeftOut: func(lines int) {
			p.newestLogger().Warn("looking up a name failed again and again", zap.String("name", name.host), zap.Int("left_out", lines))
		}}
		if p.names == nil {
			p.names = make(map[hostName]*poolName)
		}
		p.names[name] = w
		w.Watch = names.NewWatch(times, netip.Addr.Compare,
			func(ctx context.Context) ([]netip.Addr, error) {
				return p.resolverOf(name.source).LookupNetIP(ctx, name.network, name.host)
			},
			names.Events[netip.Addr]{
				Changed: func(_, appeared, left []netip.Addr) { p.nameChanged(name, appeared, left) },
				Failed:  func(err error) { p.lookupFailed(name, err) },
			})
	}
	w.users++
	w.SetTimes(times)
	return w
}

// unsyncedForgetName gives the watch of an upstream's name back, if it has one. The lock must be held.
func (c *poolConfig) unsyncedForgetName(a target.Address) {
	w := c.names[a]
	if w == nil {
		return
	}
	delete(c.names, a)
	if w.users--; w.users == 0 {
		w.Close()
		delete(c.pool.names, w.name)
	}
}

// unsyncedForget gives all watches of a config back. The lock must be held.
func (c *poolConfig) unsyncedForget() {
	for a := range c.names {
		c.unsyncedForgetName(a)
	}
	c.unsyncedForgetSource()
}

// nameChanged gives the configs of a pool the targets that a name now stands for.
func (p *pool) nameChanged(name hostName, appeared, left []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.configs {
		c.unsyncedPlaceTargets()
	}
	for _, a := range appeared {
		p.tell(addressAppeared, zap.String("name", name.host), zap.Stringer("address", a))
	}
	for _, a := range left {
		p.tell(addressLeft, zap.String("name", name.host), zap.Stringer("address", a))
	}
}

// lookupFailed logs a look-up that failed. A name that was never resolved is a target that gets no clients.
func (p *pool) lookupFailed(name hostName, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.names[name]
	if w == nil {
		return
	}
	if w.lines.Admit() {
		p.unsyncedLogger().Warn("looking up a name failed", zap.String("name", name.host), zap.Bool("known", w.All() != nil), zap.Error(err))
	}
	if w.All() != nil {
		return
	}
	for _, c := range p.configs {
		for _, m := range c.targets.Members() {
			if c.names[m.Config.Address] == w {
				c.takeOut(m, err)
			}
		}
	}
}

// newestLogger returns the logger of the newest config that has the pool.
func (p *pool) newestLogger() *zap.Logger {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unsyncedLogger()
}

// unsyncedLogger needs the lock.
func (p *pool) unsyncedLogger() *zap.Logger {
	if n := len(p.configs); n > 0 {
		return p.configs[n-1].logger.With(zap.String("pool", p.name))
	}
	return zap.NewNop()
}

// unsyncedPlaceTargets makes targets of the upstreams of a config and the addresses that their names stand for. The lock must be held.
func (c *poolConfig) unsyncedPlaceTargets() {
	var configs []target.Config
	for _, u := range c.settings.upstreams {
		if w := c.names[u.Address]; w != nil {
			configs = append(configs, expand(u, w.All())...)
		} else {
			configs = append(configs, u)
		}
	}
	configs = append(configs, c.unsyncedDynamic()...)
	before := c.targets.Members()
	c.targets.Update(configs)
	if c == c.pool.applied.Load() {
		c.tellRemoved(before)
	}
	c.pool.unsyncedCheckTargets()
	c.pool.watchDrains()
	c.pool.watchSlowStarts()
}

// expand returns the targets that an upstream with a name stands for. With one address of each family at most it is one
// target, which is known by the name.
func expand(u target.Config, addrs []netip.Addr) []target.Config {
	_, port, _ := u.Address.Split()
	var families [2][]netip.AddrPort
	for _, a := range addrs {
		family := 0
		if a.Is6() {
			family = 1
		}
		families[family] = append(families[family], netip.AddrPortFrom(a, port))
	}
	if len(addrs) == 0 {
		return []target.Config{u}
	}
	if len(families[0]) <= 1 && len(families[1]) <= 1 {
		one := u
		copy(one.At[:], append(families[0], families[1]...))
		one.Upstream = u.Address
		return []target.Config{one}
	}
	var all []target.Config
	for _, at := range append(families[0], families[1]...) {
		one := u
		one.Address = target.Address{Network: "tcp", Dial: at.String()}
		one.At[0] = at
		one.Upstream = u.Address
		all = append(all, one)
	}
	return all
}
