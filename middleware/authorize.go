package middleware

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
)

func init() {
	caddy.RegisterModule(new(Authorize))
}

const (
	defaultQuestionTimeout = 2 * time.Second
	defaultCacheTTL        = 10 * time.Second
	defaultCacheSize       = 10_000

	exampleURL = "http://localhost:9000/authorize"

	onErrorAllow = "allow"
	onErrorDeny  = "deny"
)

// Authorize asks an HTTP service whether a client may come in. It posts the client's and the local address as JSON,
// `{"client": "203.0.113.7", "local": "192.0.2.1:443"}`. A status of 2xx lets the client in, and one of 4xx keeps it
// out, with the first line of the body as the reason in the log, if it comes within 200ms. Anything else, redirects
// included, is an error.
//
// A client is asked about once at a time, whatever number of connections waits for the answer.
type Authorize struct {
	// The URL to ask, `http` or `https`. Must be given.
	URL string `json:"url,omitempty"`

	// The path of the Unix socket on which the service listens. The URL's host is then only a name. Default: the
	// service is at the URL's host.
	Socket string `json:"socket,omitempty"`

	// How long an answer may take. After that it is an error. Zero means the default; negative is an error.
	// Default: `2s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// What an error means, `allow` or `deny`. Default: `deny`.
	OnError string `json:"on_error,omitempty"`

	// How long an answer holds for the same client and local address. Errors are not kept. Zero means the default;
	// negative is an error. Default: `10s`.
	CacheTTL caddy.Duration `json:"cache_ttl,omitempty"`

	// The largest number of answers kept, at 300 to 600 bytes each. The least recently used one makes
	// room. Zero means the default; negative is an error. Default: 10000.
	CacheSize int `json:"cache_size,omitempty"`

	authority *authority
	log       *loglimit.Logger
}

// CaddyModule returns the Caddy module information.
func (*Authorize) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "layer4.middleware.authorize",
		New: func() caddy.Module { return new(Authorize) },
	}
}

// table returns the middleware's options.
func (a *Authorize) table() parse.Options {
	return parse.Options{
		parse.String("url", &a.URL, "", parse.Required[string](", such as "+exampleURL), checkURL).OnLine(),
		parse.String("socket", &a.Socket, "", checkSocket),
		parse.Duration("timeout", &a.Timeout, defaultQuestionTimeout),
		parse.Enum("on_error", &a.OnError, onErrorDeny, onErrorAllow, onErrorDeny),
		parse.Duration("cache_ttl", &a.CacheTTL, defaultCacheTTL),
		parse.Int("cache_size", &a.CacheSize, defaultCacheSize),
	}
}

// UnmarshalJSON decodes the options; an error names the one that it is about.
func (a *Authorize) UnmarshalJSON(data []byte) error {
	type plain Authorize
	return a.table().ReadJSON(data, (*plain)(a))
}

// Provision checks the options. The service need not be there yet.
func (a *Authorize) Provision(ctx caddy.Context) (err error) {
	if err := a.table().SetDefaults(); err != nil {
		return err
	}
	a.log = loglimit.NewLogger(ctx.Slogger(), 0, 0)
	a.authority, err = newAuthority(a.URL, a.Socket, time.Duration(a.Timeout), time.Duration(a.CacheTTL), a.CacheSize)
	if err != nil {
		return err
	}
	return registerMetrics(ctx.GetMetricsRegistry(), answers)
}

func checkURL(text string) error {
	if u, err := url.Parse(text); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("'%s' is not an http or https URL such as %s", text, exampleURL)
	}
	return nil
}

func checkSocket(path string) error {
	if strings.HasPrefix(path, "unix/") {
		return fmt.Errorf("'%s' is not a path; leave 'unix/' out", path)
	}
	return nil
}

// Decide asks the service, or remembers what it said.
func (a *Authorize) Decide(ctx context.Context, client *Client) error {
	q := question{Client: client.RemoteAddr().String(), Local: client.LocalAddr().String()}
	if ip := client.IP(); ip.IsValid() {
		q.Client = ip.String()
	}
	refusal, err := a.authority.about(ctx, q)
	switch {
	case err == nil && refusal == "":
		return nil
	case err == nil:
		return errors.New(refusal)
	case a.OnError == onErrorDeny || ctx.Err() != nil || errors.As(err, new(*fault)):
		return err
	}
	a.log.Log(slog.LevelError, "letting a client in without an answer", "client", q.Client, "error", err)
	return nil
}

func (*Authorize) Punctual() {}

// Cleanup lets go of the connections to the service. Questions that are pending have theirs still.
func (a *Authorize) Cleanup() error {
	if a.authority != nil {
		a.authority.close()
	}
	return nil
}

// UnmarshalCaddyfile sets up the Authorize from Caddyfile tokens. Syntax:
//
//	authorize <url> {
//		socket <path>
//		timeout <duration>
//		on_error allow|deny
//		cache_ttl <duration>
//		cache_size <number>
//	}
func (a *Authorize) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return a.table().ReadModule(d, "authorize")
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Authorize)(nil)
	_ caddy.CleanerUpper    = (*Authorize)(nil)
	_ caddyfile.Unmarshaler = (*Authorize)(nil)
	_ Middleware            = (*Authorize)(nil)
	_ Punctual              = (*Authorize)(nil)
)
