package l4sticky

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

const (
	defaultPool         = "default"
	defaultExpiry       = 30 * time.Second
	defaultDeactivation = 60 * time.Second
	defaultMaxSessions  = 1_000_000
	defaultStoreTimeout = 20 * time.Millisecond

	defaultPersistInterval = 60 * time.Second
)

// No client waits for a store longer than for a target that does not answer.
var inStoreTimeout = parse.Between(caddy.Duration(time.Millisecond), caddy.Duration(10*time.Second))

// What is written more often than each second would be worth less than it costs.
var inPersistInterval = parse.Between(caddy.Duration(time.Second), caddy.Duration(24*time.Hour))

// Options are what `sticky_proxy` and `sticky_ip` have in common: which addresses count as one client, for how
// long a client stays with its target, and how a new client gets one.
type Options struct {
	// The name under which sessions and the health of the targets are kept. Handlers with the same
	// pool send a client to the same target, whichever port it comes in by, and reloads keep what the
	// pool knows. Handlers of one config that share a pool must have the same upstreams and the same
	// options of this group. Default: `default`; if handlers of a config that name no pool have no upstream in common,
	// each gets a pool of its own, which is named after an upstream.
	Pool string `json:"pool,omitempty"`

	// How long a client's session lives after its last connection closed; until then its next
	// connection goes to the same target. It is kept to the millisecond. Zero means the default;
	// negative is an error. It is for placements with sessions only. Default: `30s`.
	SessionExpiry caddy.Duration `json:"session_expiry,omitempty"`

	// How long a target gets no new connections after a dial to it failed. When it is over, the next
	// client placed there tries it again. While every target is deactivated they are tried all the
	// same, as a last resort, and one that accepts is active again at once. Zero means the default;
	// negative is an error. Default: `60s`.
	DeactivationDuration caddy.Duration `json:"deactivation_duration,omitempty"`

	// How a new client gets its target.
	//
	// - `rendezvous`: weighted rendezvous hashing of the client's address (highest random weight;
	//   Thaler and Ravishankar, 1998) over xxHash64. Clients spread by weight, every node and every
	//   restart places a client in the same way, and a target that goes moves its own clients only.
	// - `legacy`: the placement of LoadBalancer.js to the bit, so that a migration moves no client. The
	//   order of the upstreams counts, and one that is listed twice gets twice its weight.
	// - `random`: every connection goes to a random target by weight. There are no sessions then.
	//
	// Default: `rendezvous`.
	Placement string `json:"placement,omitempty"`

	// Addresses that share a prefix of this length count as one client, so that a client that changes its address
	// within its network keeps its session. Default: 32 and 128, each address is a client of its own.
	ClientPrefix *parse.ClientPrefix `json:"client_prefix,omitempty"`

	// The largest number of sessions kept, at about 100 bytes each. When it is reached, the session that
	// has been idle longest makes room; a session with open connections never does. When all have
	// open connections, further clients are placed but not remembered. Zero means the default;
	// negative is an error. It is for placements with sessions only. Default: 1000000.
	MaxSessions int `json:"max_sessions,omitempty"`

	// Over what time a target that returns, or that is added to others, gets its share of new clients: it begins with a
	// hundredth, and the share grows evenly. Clients that have a session are not concerned. It is an error together with
	// `placement legacy`, which knows no shares. Zero means that it gets its share at once; negative is an error.
	// Default: 0, in a Caddyfile `off`.
	SlowStart caddy.Duration `json:"slow_start,omitempty"`

	// Where the clients go that have left their target because it failed or was full, when it is back.
	//
	// - `stay`: they stay where they are for as long as their session lives.
	// - `when_idle`: a client that comes back after its last connection closed is placed anew. It is for placements with sessions only.
	//
	// Default: `stay`.
	ReturnHome string `json:"return_home,omitempty"`

	// Whether the sessions outlive a stop of Caddy: they are written into Caddy's storage, under the name of the host and that of the pool,
	// when the pool ends and each `persist_interval`, and read when the pool begins. While Caddy is down they expire as they would have.
	// A config that leaves it out stops the writing; what is written stays. It is an error together with `placement random`, which
	// has no sessions. Default: false, in a Caddyfile `off`.
	Persist bool `json:"persist,omitempty"`

	// How often the sessions are written while Caddy runs, as it may end without a stop: then those that began since are lost, and a
	// client that had connections keeps its session for up to that much longer. Zero means the default; it is from 1s to 24h, and
	// for `persist` only. Default: `60s`.
	PersistInterval caddy.Duration `json:"persist_interval,omitempty"`

	// Where the sessions are that several balancers share, so that each of them sends a client to the same target. The table of
	// this process stays in front. It is an error together with `placement random`, which has no sessions. Default: `memory`,
	// nothing is shared.
	SessionStoreRaw json.RawMessage `json:"session_store,omitempty" caddy:"namespace=layer4.sticky.stores inline_key=store"`

	// How long a client that is new to this process waits for the session store at most. Then it is placed without it, as all are while
	// the store fails. Zero means the default; it is from 1ms to 10s, and for a `session_store` only. Default: `20ms`.
	StoreTimeout caddy.Duration `json:"store_timeout,omitempty"`

	// Whether a config is refused whose session store can't be used when the config is loaded. Else that is a warning, and the store
	// is tried again. It is for a `session_store` only. Default: false, in a Caddyfile `off`.
	StoreRequired bool `json:"store_required,omitempty"`
}

// What return_home may be.
const (
	returnStay     = "stay"
	returnWhenIdle = "when_idle"
)

// table returns the options that both modules have.
func (o *Options) table() parse.Options {
	placements := target.PlacementNames()
	const sticky = "placement rendezvous or legacy"
	hasSessions := o.Placement != target.Random.Name
	return parse.Options{
		parse.String("pool", &o.Pool, ""),
		parse.Duration("session_expiry", &o.SessionExpiry, defaultExpiry).OnlyFor(sticky, hasSessions),
		parse.Duration("deactivation_duration", &o.DeactivationDuration, defaultDeactivation),
		parse.Enum("placement", &o.Placement, placements[0], placements...),
		parse.Prefix("client_prefix", &o.ClientPrefix, 32, 128),
		parse.Int("max_sessions", &o.MaxSessions, defaultMaxSessions).OnlyFor(sticky, hasSessions),
		parse.DurationOrOff("slow_start", &o.SlowStart, 0, 0),
		parse.Enum("return_home", &o.ReturnHome, returnStay, returnStay, returnWhenIdle).OnlyFor(sticky, hasSessions),
		parse.OnOff("persist", &o.Persist),
		parse.Duration("persist_interval", &o.PersistInterval, defaultPersistInterval, inPersistInterval).OnlyFor("persist", o.Persist),
		parse.Module("session_store", &o.SessionStoreRaw, stores.Namespace, storeKey),
		parse.Duration("store_timeout", &o.StoreTimeout, defaultStoreTimeout, inStoreTimeout).OnlyFor("session_store", o.SessionStoreRaw != nil),
		parse.OnOff("store_required", &o.StoreRequired).OnlyFor("session_store", o.SessionStoreRaw != nil),
	}
}

// setDefaults puts the defaults where nothing is set, and returns an error if a value is out of its bounds.
func (o *Options) setDefaults() error {
	if err := o.table().SetDefaults(); err != nil {
		return err
	}
	if o.SlowStart > 0 && o.Placement == target.Legacy.Name {
		return fmt.Errorf("slow_start: %v can't be kept with placement legacy, which places clients exactly as LoadBalancer.js does", time.Duration(o.SlowStart))
	}
	if o.sharesSessions() && !target.PlacementNamed(o.Placement).Sticky {
		return fmt.Errorf("session_store: placement %s has no sessions that could be shared", o.Placement)
	}
	if o.Persist && !target.PlacementNamed(o.Placement).Sticky {
		return fmt.Errorf("persist: placement %s has no sessions that could be kept", o.Placement)
	}
	return nil
}
