package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/middleware"
)

func init() {
	caddy.RegisterModule(new(Hours))
}

// Hours is a middleware of a third party: it lets clients in during some hours of the day only.
type Hours struct {
	// The hour from which on clients may come in, and the one until which they may.
	From  int `json:"from,omitempty"`
	Until int `json:"until,omitempty"`

	now func() time.Time
}

// CaddyModule returns the Caddy module information.
func (*Hours) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.middleware.hours", New: func() caddy.Module { return new(Hours) }}
}

// Provision checks the options.
func (h *Hours) Provision(caddy.Context) error {
	if h.From < 0 || h.Until > 24 || h.From >= h.Until {
		return fmt.Errorf("hours: from %d until %d are no hours of a day", h.From, h.Until)
	}
	h.now = time.Now
	return nil
}

// Decide keeps clients out in the hours that are not given.
func (h *Hours) Decide(_ context.Context, client *middleware.Client) error {
	if client.IP().IsLoopback() {
		return nil // we may come at any time
	}
	if hour := h.now().Hour(); hour < h.From || hour >= h.Until {
		return errors.New("we are closed")
	}
	return nil
}

// UnmarshalCaddyfile sets up the Hours from Caddyfile tokens. Syntax:
//
//	hours <from> <until>
func (h *Hours) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the middleware's name
	args := d.RemainingArgs()
	if len(args) != 2 {
		return d.ArgErr()
	}
	if _, err := fmt.Sscan(strings.Join(args, " "), &h.From, &h.Until); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Hours)(nil)
	_ caddyfile.Unmarshaler = (*Hours)(nil)
	_ middleware.Middleware = (*Hours)(nil)
)

// A middleware is tried out without a connection.
func ExampleMiddleware() {
	hours := &Hours{From: 9, Until: 17, now: func() time.Time { return time.Date(2026, 1, 1, 20, 0, 0, 0, time.Local) }}
	local := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}
	for _, ip := range []string{"127.0.0.1", "203.0.113.7"} {
		client := middleware.NewClient(&net.TCPAddr{IP: net.ParseIP(ip), Port: 50000}, local)
		fmt.Println(ip, hours.Decide(context.Background(), client))
	}
	// Output:
	// 127.0.0.1 <nil>
	// 203.0.113.7 we are closed
}

// It goes into a config like those that come with the matcher.
func TestExampleInConfig(t *testing.T) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(`{
		admin off
		layer4 {
			127.0.0.1:7000 {
				@allowed middleware {
					rate_limit {
						connections 10
					}
					hours 9 17
				}
				route @allowed {
					echo
				}
			}
		}
	}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"from":9,"middleware":"hours","until":17}]}}]`; !strings.Contains(string(config), want) {
		t.Errorf("adapted to %s, want %s in it", config, want)
	}
	if err := validate(config); err != nil {
		t.Error(err)
	}
	broken := strings.Replace(string(config), `"until":17`, `"until":9`, 1)
	if err := validate([]byte(broken)); err == nil || !strings.Contains(err.Error(), "hours: from 9 until 9") {
		t.Errorf("bad options: %v", err)
	}
}

// A module without Decide has no place in a chain.
func TestNoMiddleware(t *testing.T) {
	config := `{"admin": {"disabled": true}, "apps": {"layer4": {"servers": {"s": {"routes": [{"match": [{"middleware": {"chain": [{"middleware": "idle"}]}}]}]}}}}}`
	if err := validate([]byte(config)); err == nil || !strings.Contains(err.Error(), "chain: *middleware_test.idle is no middleware") {
		t.Errorf("got %v", err)
	}
}

type idle struct{}

func init() { caddy.RegisterModule(new(idle)) }

func (*idle) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.middleware.idle", New: func() caddy.Module { return new(idle) }}
}
