package l4sticky

import (
	"encoding/json"
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
	// change addresses within their network. Default: each address is a client of its own.
	ClientPrefix *ClientPrefix `json:"client_prefix,omitempty"`

	// The largest number of sessions kept, at about 100 bytes each. When it is reached, the session that
	// has been idle longest makes room; a session with open connections never does. When all have
	// open connections, further clients are placed but not remembered. Zero means the default;
	// negative is an error. Default: 1000000.
	MaxSessions int `json:"max_sessions,omitempty"`
}

// ClientPrefix holds the prefix lengths in bits that make a client.
type ClientPrefix struct {
	// From 1 to 32; 24 makes all of a.b.c.0/24 one client. Zero means the default; anything else is an
	// error. Default: 32.
	IPv4 int `json:"ipv4,omitempty"`

	// From 1 to 128; 64 makes what a household usually gets one client. Zero means the default;
	// anything else is an error. Default: 128.
	IPv6 int `json:"ipv6,omitempty"`
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
	if o.ClientPrefix == nil {
		o.ClientPrefix = new(ClientPrefix)
	}
	if o.ClientPrefix.IPv4 == 0 {
		o.ClientPrefix.IPv4 = 32
	}
	if o.ClientPrefix.IPv6 == 0 {
		o.ClientPrefix.IPv6 = 128
	}

	if err := parse.OneOf(o.Placement, placementNames...); err != nil {
		return fmt.Errorf("placement: %w", err)
	}
	if err := defaultDuration(&o.SessionExpiry, "session_expiry", defaultExpiry); err != nil {
		return err
	}
	if err := defaultDuration(&o.DeactivationDuration, "deactivation_duration", defaultDeactivation); err != nil {
		return err
	}
	if o.MaxSessions < 0 {
		return fmt.Errorf("max_sessions: %d is negative", o.MaxSessions)
	}
	if bits := o.ClientPrefix.IPv4; bits < 1 || bits > 32 {
		return fmt.Errorf("client_prefix: %d is not a prefix length of IPv4, which is from 1 to 32", bits)
	}
	if bits := o.ClientPrefix.IPv6; bits < 1 || bits > 128 {
		return fmt.Errorf("client_prefix: %d is not a prefix length of IPv6, which is from 1 to 128", bits)
	}
	return nil
}

// unmarshal decodes a module's JSON, in which the durations of Options and those named may come. An error of a
// caddy.Duration does not tell which option it is about, so they are looked at first.
func unmarshal(data []byte, into any, durations ...string) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	for _, name := range append(durations, "session_expiry", "deactivation_duration") {
		var d caddy.Duration
		if value, given := raw[name]; given && json.Unmarshal(value, &d) != nil {
			return fmt.Errorf("%s: %s is not a duration such as \"30s\"", name, value)
		}
	}
	return caddy.StrictUnmarshalJSON(data, into)
}

func defaultDuration(d *caddy.Duration, name string, value time.Duration) error {
	if *d < 0 {
		return fmt.Errorf("%s: %v is negative", name, time.Duration(*d))
	}
	if time.Duration(*d) > parse.MaxDuration {
		return fmt.Errorf("%s: %v is above %v (100 years)", name, time.Duration(*d), parse.MaxDuration)
	}
	if *d == 0 {
		*d = caddy.Duration(value)
	}
	return nil
}

// table returns the Caddyfile forms of the options.
func (o *Options) table() parse.Options {
	prefix := parse.Option{Args: 2, Set: func(args []string) error {
		o.ClientPrefix = new(ClientPrefix)
		return parse.Ints(&o.ClientPrefix.IPv4, &o.ClientPrefix.IPv6).Set(args)
	}}
	return parse.Options{
		"pool":                  parse.String(&o.Pool),
		"session_expiry":        parse.Duration(&o.SessionExpiry),
		"deactivation_duration": parse.Duration(&o.DeactivationDuration),
		"placement":             parse.Enum(&o.Placement, placementNames...),
		"client_prefix":         prefix,
		"max_sessions":          parse.Int(&o.MaxSessions),
	}
}
