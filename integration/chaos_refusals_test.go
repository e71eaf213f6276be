package integration

import (
	"math/rand/v2"
	"net"
	"time"
)

// refusals are the ways in which a config is wrong: what its options, its servers and whatever else it has look like.
var refusals = []struct {
	name, options string
	servers       func(free, taken string) []server
	sites         func(free, taken string) string
}{
	{name: "an option is wrong", options: "client_prefix 33 128\n"},
	{name: "another handler is wrong", servers: func(free, _ string) []server {
		return []server{{free, "proxy_protocol {\nallow nonsense\n}"}}
	}},
	{name: "an address is taken", servers: func(_, taken string) []server {
		return []server{{taken, "echo"}}
	}},
	{name: "a seamless address is taken", servers: func(_, taken string) []server {
		return []server{{"seamless/" + taken, "echo"}}
	}},
	{name: "an address of another app is taken", sites: func(_, taken string) string {
		return "http://" + taken + " {\nrespond hello\n}\n"
	}},
	{name: "a certificate of another app is missing", sites: func(free, _ string) string {
		return "https://" + free + " {\ntls /nonexistent.pem /nonexistent.key\n}\n"
	}},
}

// refusedReload loads a config that can't be, and looks that nothing is left of it.
func (r *chaosRun) refusedReload(rng *rand.Rand) {
	kind := refusals[rng.IntN(len(refusals))]
	free, taken, seamless, plain := freeAddr(r.t), r.taken, freeAddr(r.t), freeAddr(r.t)
	options := kind.options
	for _, target := range r.wrong {
		options += upstream(target.addr)
	}
	handler := sticky(poolOptions + options)
	servers := []server{{"seamless/" + seamless, handler}, {plain, handler}}
	if kind.servers != nil {
		servers = append(servers, kind.servers(free, taken)...)
	}
	rng.Shuffle(len(servers), func(i, j int) { servers[i], servers[j] = servers[j], servers[i] })
	config := r.configFor(options, nil, servers...)
	if kind.sites != nil {
		config += kind.sites(free, taken)
	}
	if err := r.load(config); err == nil {
		r.fail("a bad config is accepted", "%s:\n%s", kind.name, config)
	}
	for _, addr := range []string{seamless, plain, free} {
		r.mustBeClosed("where "+kind.name+", an address of the refused config", addr)
	}
	r.mustBeRight("where " + kind.name)
	r.count("reloads refused because "+kind.name, 1)
}

// mustBeClosed fails unless nobody listens on an address, at the latest in a moment.
func (r *chaosRun) mustBeClosed(what, addr string) {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			r.fail("an address is open that should not be", "%s, %s", what, addr)
			return
		}
	}
}

// mustBeRight fails if a client has come to a target that only refused configs have.
func (r *chaosRun) mustBeRight(when string) {
	var arrived int64
	for _, target := range r.wrong {
		arrived += target.accepted.Load()
	}
	if n := arrived - r.astray; n > 0 {
		r.fail("connections come to targets of refused configs", "%s, %d of them", when, n)
	}
	r.astray = arrived
}
