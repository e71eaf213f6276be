package stores_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	_ "github.com/caddy-sticky/caddy-sticky/l4sticky"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores/storetest"
)

func init() {
	caddy.RegisterModule(new(Shelf))
	caddy.RegisterModule(new(idle))
}

// shelves are what all processes would reach, if this were a real store.
var shelves storetest.Store

// Shelf is a store of a third party. The four methods of stores.Store are those of the memory that it stands before.
type Shelf struct {
	*storetest.Store

	// The name of the shelf.
	Name string `json:"name,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Shelf) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.sticky.stores.shelf", New: func() caddy.Module { return new(Shelf) }}
}

// Provision does not wait for the store: one that can't be reached must not keep a config from loading.
func (s *Shelf) Provision(caddy.Context) error {
	s.Store = &shelves
	return nil
}

// UnmarshalCaddyfile sets up the Shelf from Caddyfile tokens. Syntax:
//
//	shelf <name>
func (s *Shelf) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the store's name
	if !d.AllArgs(&s.Name) {
		return d.ArgErr()
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Shelf)(nil)
	_ caddyfile.Unmarshaler = (*Shelf)(nil)
	_ stores.Store          = (*Shelf)(nil)
)

// Two nodes place a client. The first one counts, until it says that the client has left its target.
func ExampleStore() {
	var store stores.Store = new(storetest.Store)
	client := netip.MustParseAddr("192.0.2.1")
	says := func(node string, update stores.Update) {
		update.Client, update.TTL = client, time.Minute
		updates := []stores.Update{update}
		if err := store.Update(context.Background(), "default", node, updates); err != nil {
			fmt.Println(err)
		}
		fmt.Printf("%s: %s, known before: %v\n", node, updates[0].Kept, updates[0].Known)
	}
	says("a", stores.Update{Target: "10.0.0.1:80", Live: true})
	says("b", stores.Update{Target: "10.0.0.2:80", Live: true})
	says("a", stores.Update{Target: "10.0.0.3:80", Replaces: "10.0.0.1:80", Live: true})
	says("b", stores.Update{Target: "10.0.0.2:80"})
	// Output:
	// a: 10.0.0.1:80, known before: false
	// b: 10.0.0.1:80, known before: true
	// a: 10.0.0.3:80, known before: true
	// b: 10.0.0.3:80, known before: true
}

// It goes into a config like those that come with the handler.
func TestExampleInConfig(t *testing.T) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(`{
		admin off
		layer4 {
			127.0.0.1:7000 {
				route {
					sticky_proxy 127.0.0.1:8000 {
						session_store shelf upper
						store_required on
					}
				}
			}
		}
	}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"session_store":{"name":"upper","store":"shelf"}`; !strings.Contains(string(config), want) {
		t.Errorf("adapted to %s, want %s in it", config, want)
	}
	if err := validate(config); err != nil {
		t.Error(err)
	}
	if shelves.Requests("Meet") == 0 {
		t.Error("the store was not used")
	}
}

// A module without the methods is no store.
func TestNoStore(t *testing.T) {
	config := `{"admin": {"disabled": true}, "apps": {"layer4": {"servers": {"s": {"routes": [{"handle": [
		{"handler": "sticky_proxy", "upstreams": [{"dial": "127.0.0.1:8000"}], "session_store": {"store": "idle"}}]}]}}}}}`
	if err := validate([]byte(config)); err == nil || !strings.Contains(err.Error(), "session_store: *stores_test.idle is no session store") {
		t.Errorf("got %v", err)
	}
}

type idle struct{}

func (*idle) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.sticky.stores.idle", New: func() caddy.Module { return new(idle) }}
}

func validate(config []byte) error {
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	return caddy.Validate(&c)
}
