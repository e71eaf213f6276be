package integration

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const reloadPause = 500 * time.Millisecond

// An entrance is a server of the config, by which clients come.
type entrance struct {
	name, network, front, options string

	stable history // when it kept its address

	mu   sync.Mutex
	addr string
}

func (e *entrance) String() string { return e.name }

func (e *entrance) address() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addr
}

func (e *entrance) setAddress(addr string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addr = addr
}

func (r *chaosRun) makeWays() {
	r.ways = []*entrance{
		{name: "a seamless listener", network: "seamless/"},
		{name: "a plain listener"},
		{name: "goroutines behind a seamless listener", network: "seamless/", front: ways["goroutines"]},
		{name: "goroutines behind a plain listener", front: ways["goroutines"]},
		{name: "a seamless listener with PROXY headers", network: "seamless/", options: "proxy_protocol v1\n"},
		{name: "a seamless listener that moves", network: "seamless/"},
	}
	for _, way := range r.ways {
		way.addr = freeAddr(r.t)
		way.stable.begin(r.now())
	}
}

// way chooses an entrance.
func (r *chaosRun) way(rng *rand.Rand) *entrance { return r.ways[rng.IntN(len(r.ways))] }

// calmOptions are those of a config in which nothing is special.
const calmOptions = "session_expiry 1s\ndeactivation_duration 300ms\n"

// poolOptions are those that all configs have.
var poolOptions = fmt.Sprintf("pool chaos\ndial_timeout %s\nfailover_delay %s\n", dialTimeout, dialTimeout/2)

// configFor returns a config with all entrances, at their addresses or others, and more servers if there are any.
func (r *chaosRun) configFor(options string, elsewhere map[*entrance]string, more ...server) string {
	options = poolOptions + options
	servers := more
	for _, way := range r.ways {
		addr := way.address()
		if other := elsewhere[way]; other != "" {
			addr = other
		}
		servers = append(servers, server{way.network + addr, way.front + sticky(options+way.options)})
	}
	return caddyfile(servers...)
}

// everybody returns upstreams that are all targets.
func (r *chaosRun) everybody() string {
	var lines string
	for _, target := range r.targets {
		lines += upstream(target.addr)
	}
	return lines
}

// reload gives the balancer one config after the other until the run is over. Every third one has to be refused.
func (r *chaosRun) reload() {
	began := r.now()
	rng := r.rng("reloads", 0)
	for n := time.Duration(1); !r.sleep(n*reloadPause - (r.now() - began)); n++ {
		if r.caddy.hasEnded() {
			r.left.Store(0)
			continue
		}
		if n%3 == 0 && !r.mild {
			r.refusedReload(rng)
		} else {
			r.goodReload(rng)
		}
	}
	for _, target := range r.targets {
		target.configured.end(r.now())
	}
}

// goodReload adds targets, removes and reweights them, and changes addresses.
func (r *chaosRun) goodReload(rng *rand.Rand) {
	settle, options := r.moveTarget(rng), randomOptions(rng)
	members := rng.Perm(len(r.targets))[:6+rng.IntN(3)]
	for i, target := range r.targets {
		if slices.Contains(members, i) {
			options += upstream(target.addr, fmt.Sprintf("weight %d", 1+rng.IntN(4)))
		} else {
			target.configured.end(r.now())
		}
	}
	moving, elsewhere := r.moveListener(rng)

	err := r.load(r.configFor(options, elsewhere))
	settle(err == nil)
	if err != nil {
		r.fail("a good config is refused", "%v", err)
		return
	}
	for _, i := range members {
		r.targets[i].configured.begin(r.now())
	}
	if moving != nil {
		old := moving.address()
		moving.setAddress(elsewhere[moving])
		moving.stable.begin(r.now())
		r.mustBeClosed("an address that is not in the config any more", old)
	}
	r.count("reloads", 1)
}

// randomOptions are those that may change while sessions live.
func randomOptions(rng *rand.Rand) string {
	return fmt.Sprintf("session_expiry %dms\ndeactivation_duration %dms\n", minExpiry.Milliseconds()+rng.Int64N(2000), 50+rng.Int64N(maxDeactivation.Milliseconds()-50))
}

// moveTarget gives a target another address now and then. Settle is to be told whether a config has it.
func (r *chaosRun) moveTarget(rng *rand.Rand) (settle func(done bool)) {
	number, addr := rng.IntN(3*len(r.targets)), freeAddr(r.t)
	if number >= len(r.targets) {
		return func(bool) {}
	}
	target := r.targets[number]
	closeOther, moved := target.move(addr)
	if !moved {
		return func(bool) {}
	}
	target.configured.end(r.now())
	r.count("targets moved", 1)
	return func(done bool) {
		if err := closeOther(done); err != nil {
			r.fail("closing a listener", "%v", err)
		}
	}
}

// moveListener gives an entrance another address now and then.
func (r *chaosRun) moveListener(rng *rand.Rand) (moving *entrance, elsewhere map[*entrance]string) {
	addr := freeAddr(r.t)
	if rng.IntN(2) == 0 {
		return nil, nil
	}
	moving = r.ways[len(r.ways)-1]
	moving.stable.end(r.now())
	r.count("listeners moved", 1)
	return moving, map[*entrance]string{moving: addr}
}

func (r *chaosRun) load(config string) error {
	r.reloads.begin(r.now())
	defer func() { r.reloads.end(r.now()) }()
	return r.caddy.load(config)
}
