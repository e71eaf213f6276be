package middleware

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

func init() {
	caddy.RegisterModule(new(RateLimit))
}

const (
	defaultWindow     = time.Second
	defaultMaxClients = 100_000
	maxTokens         = 1_000_000_000 // what is counted exactly, in a float64
)

// RateLimit keeps a client out while it opens connections too fast. Every client has a bucket of `burst`
// tokens, into which `connections` new ones drip in each `window`; a connection takes one, and without one it
// isn't let in. The buckets are kept over reloads.
type RateLimit struct {
	// How many new connections a client may open in each window, on and on. Must be given, from 1 to
	// 1000000000; anything else is an error.
	Connections int `json:"connections,omitempty"`

	// The window. Zero means the default; negative is an error. Default: `1s`.
	Window caddy.Duration `json:"window,omitempty"`

	// How many connections a client that has been quiet may open at once, up to 1000000000. Zero means the
	// default; anything else is an error. Default: as many as `connections`.
	Burst int `json:"burst,omitempty"`

	// Clients that share a prefix of this length share a bucket. IPv6 networks give a household a prefix of 64
	// bits or less, so that one attacker has billions of addresses. Default: 32 for IPv4, 64 for IPv6.
	ClientPrefix *parse.ClientPrefix `json:"client_prefix,omitempty"`

	// The largest number of buckets kept, at about 350 bytes each. When it is reached, the fullest one makes
	// room, which is that of a client that has been quiet for long or has come once. Zero means the default;
	// negative is an error. Default: 100000.
	MaxClients int `json:"max_clients,omitempty"`

	// The name under which the buckets are kept. Rate limits with the same name share them, and must have the same
	// options within a config. Default: `default`.
	Name string `json:"name,omitempty"`

	user *bucketUser
}

// CaddyModule returns the Caddy module information.
func (*RateLimit) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.middleware.rate_limit",
		New: func() caddy.Module { return new(RateLimit) },
	}
}

// table returns the rate limit's options.
func (r *RateLimit) table() parse.Options {
	return parse.Options{
		parse.Int("connections", &r.Connections, 0, parse.Required[int](", and at least 1"), parse.Between(1, maxTokens)),
		parse.Duration("window", &r.Window, defaultWindow),
		parse.Int("burst", &r.Burst, r.Connections, parse.Between(1, maxTokens)),
		parse.Prefix("client_prefix", &r.ClientPrefix, 32, 64),
		parse.Int("max_clients", &r.MaxClients, defaultMaxClients),
		parse.String("name", &r.Name, "default"),
	}
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (r *RateLimit) UnmarshalJSON(data []byte) error {
	type plain RateLimit
	return r.table().ReadJSON(data, (*plain)(r))
}

// Provision checks the options and joins the buckets of that name.
func (r *RateLimit) Provision(ctx caddy.Context) (err error) {
	if err := r.table().SetDefaults(); err != nil {
		return err
	}
	r.user, err = joinBuckets(r.Name, ctx.GetMetricsRegistry(), limits{
		window: time.Duration(r.Window), connections: r.Connections, burst: r.Burst, prefix: *r.ClientPrefix, maxClients: r.MaxClients,
	})
	return err
}

// Decide takes a token from the client's bucket. Clients without an IP address, on a Unix socket, have one bucket.
func (r *RateLimit) Decide(_ context.Context, client *Client) error {
	if r.user.take(r.ClientPrefix.Client(client.IP())) {
		return nil
	}
	return fmt.Errorf("more than %d connections in %v", r.Connections, time.Duration(r.Window))
}

func (*RateLimit) Punctual() {}

// Cleanup leaves the buckets, if Provision came as far as joining them. Decisions that are pending have theirs still.
func (r *RateLimit) Cleanup() error {
	if r.user == nil {
		return nil
	}
	return r.user.quit()
}

// UnmarshalCaddyfile sets up the RateLimit from Caddyfile tokens. Syntax:
//
//	rate_limit {
//		connections <number>
//		window <duration>
//		burst <number>
//		client_prefix <ipv4_bits> <ipv6_bits>
//		max_clients <number>
//		name <name>
//	}
func (r *RateLimit) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return r.table().ReadModule(d, "rate_limit")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*RateLimit)(nil)
	_ caddy.CleanerUpper    = (*RateLimit)(nil)
	_ caddyfile.Unmarshaler = (*RateLimit)(nil)
	_ Middleware            = (*RateLimit)(nil)
	_ Punctual              = (*RateLimit)(nil)
)
