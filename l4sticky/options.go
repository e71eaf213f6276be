package l4sticky

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// The ways to place a client, by their names in a config; Options tells what they mean.
const (
	PlacementRendezvous = "rendezvous"
	PlacementLegacy     = "legacy"
	PlacementRandom     = "random"
)

var (
	placementNames = []string{PlacementRendezvous, PlacementLegacy, PlacementRandom}
	placements     = map[string]target.Placement{
		PlacementRendezvous: target.Rendezvous,
		PlacementLegacy:     target.Legacy,
		PlacementRandom:     target.Random,
	}
)

const (
	defaultPool         = "default"
	defaultExpiry       = 30 * time.Second
	defaultDeactivation = 60 * time.Second
	defaultMaxSessions  = 1_000_000
)

// Options are what `sticky_proxy` and `sticky_ip` have in common: who counts as one client, for how
// long a client stays with its target, and how a new client gets one.
type Options struct {
	// The name under which sessions and the health of the targets are kept. Handlers with the same
	// pool send a client to the same target, whichever port it comes in by, and reloads keep what the
	// pool knows. Handlers of one config that share a pool must have the same upstreams and the same
	// options of this group. Default: `default`.
	Pool string `json:"pool,omitempty"`

	// How long a client's session lives after its last connection closed; until then its next
	// connection goes to the same target. It is kept to the millisecond. Zero means the default;
	// negative is an error. Default: `30s`.
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
	// - `legacy`: the placement of LoadBalancer.js to the bit, so that moving over moves nobody. The
	//   order of the upstreams counts, and one that is listed twice gets twice its weight.
	// - `random`: every connection goes to a random target by weight. There are no sessions then.
	//
	// Default: `rendezvous`.
	Placement string `json:"placement,omitempty"`

	// Clients that share a prefix of this length count as one client, which keeps those together who
	// change addresses within their network. Default: 32 and 128, each address is a client of its own.
	ClientPrefix *parse.ClientPrefix `json:"client_prefix,omitempty"`

	// The largest number of sessions kept, at about 100 bytes each. When it is reached, the session that
	// has been idle longest makes room; a session with open connections never does. When all have
	// open connections, further clients are placed but not remembered. Zero means the default;
	// negative is an error. Default: 1000000.
	MaxSessions int `json:"max_sessions,omitempty"`
}

// setDefaults puts the default where nothing is set and refuses what makes no sense.
func (o *Options) setDefaults() error {
	if o.Pool == "" {
		o.Pool = defaultPool
	}
	if o.Placement == "" {
		o.Placement = PlacementRendezvous
	}
	if o.MaxSessions == 0 {
		o.MaxSessions = defaultMaxSessions
	}

	if err := parse.OneOf(o.Placement, placementNames...); err != nil {
		return fmt.Errorf("placement: %w", err)
	}
	if err := parse.DefaultDuration(&o.SessionExpiry, "session_expiry", defaultExpiry); err != nil {
		return err
	}
	if err := parse.DefaultDuration(&o.DeactivationDuration, "deactivation_duration", defaultDeactivation); err != nil {
		return err
	}
	if o.MaxSessions < 0 {
		return fmt.Errorf("max_sessions: %d is negative", o.MaxSessions)
	}
	prefix, err := o.ClientPrefix.WithDefaults(32, 128)
	o.ClientPrefix = prefix
	return err
}

// unmarshal decodes a module's JSON, in which the durations of Options and those named may come.
func unmarshal(data []byte, into any, durations ...string) error {
	return parse.JSON(data, into, append(durations, "session_expiry", "deactivation_duration")...)
}

// table returns the Caddyfile forms of the options.
func (o *Options) table() parse.Options {
	return parse.Options{
		"pool":                  parse.String(&o.Pool),
		"session_expiry":        parse.Duration(&o.SessionExpiry),
		"deactivation_duration": parse.Duration(&o.DeactivationDuration),
		"placement":             parse.Enum(&o.Placement, placementNames...),
		"client_prefix":         parse.Prefix(&o.ClientPrefix),
		"max_sessions":          parse.Int(&o.MaxSessions),
	}
}
