package upstreams_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	_ "github.com/caddy-sticky/caddy-sticky/l4sticky"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/upstreams"
)

func init() {
	caddy.RegisterModule(new(File))
}

// File is a source of a third party: a file with the address of an upstream on each line.
type File struct {
	// The path of the file.
	Path string `json:"path,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*File) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.sticky.upstreams.file", New: func() caddy.Module { return new(File) }}
}

// Lookup reads the file.
func (f *File) Lookup(context.Context) (found []upstreams.Upstream, err error) {
	text, err := os.ReadFile(f.Path)
	if err != nil {
		return nil, err // the last answer still holds
	}
	for _, address := range strings.Fields(string(text)) {
		found = append(found, upstreams.Upstream{Address: address})
	}
	return found, nil
}

// Interval returns the time between two looks at the file.
func (*File) Interval() time.Duration { return 2 * time.Second }

// UnmarshalCaddyfile sets up the File from Caddyfile tokens. Syntax:
//
//	file <path>
func (f *File) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume the source's name
	if !d.AllArgs(&f.Path) {
		return d.ArgErr()
	}
	return nil
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*File)(nil)
	_ upstreams.Source      = (*File)(nil)
)

// A source is tried out without a config.
func ExampleSource() {
	dir, _ := os.MkdirTemp("", "example")
	defer os.RemoveAll(dir)
	file := &File{Path: filepath.Join(dir, "upstreams")}
	if _, err := file.Lookup(context.Background()); err != nil {
		fmt.Println("there is none yet")
	}
	_ = os.WriteFile(file.Path, []byte("10.0.0.1:8000\napp.internal:8000\n"), 0o600)
	found, _ := file.Lookup(context.Background())
	for _, upstream := range found {
		fmt.Println(upstream.Address)
	}
	// Output:
	// there is none yet
	// 10.0.0.1:8000
	// app.internal:8000
}

// It goes into a config like those that come with the handler.
func TestExampleInConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "upstreams")
	if err := os.WriteFile(path, []byte("127.0.0.1:8000"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(`{
		admin off
		layer4 {
			127.0.0.1:7000 {
				route {
					sticky_proxy {
						dynamic file `+path+`
					}
				}
			}
		}
	}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"dynamic_upstreams":{"path":"` + path + `","source":"file"}`; !strings.Contains(string(config), want) {
		t.Errorf("adapted to %s, want %s in it", config, want)
	}
	if err := validate(config); err != nil {
		t.Error(err)
	}
}

// A module without Lookup is no source.
func TestNoSource(t *testing.T) {
	config := `{"admin": {"disabled": true}, "apps": {"layer4": {"servers": {"s": {"routes": [{"handle": [
		{"handler": "sticky_proxy", "dynamic_upstreams": {"source": "idle"}}]}]}}}}}`
	if err := validate([]byte(config)); err == nil || !strings.Contains(err.Error(), "dynamic_upstreams: *upstreams_test.idle is no source of upstreams") {
		t.Errorf("got %v", err)
	}
}

type idle struct{}

func init() { caddy.RegisterModule(new(idle)) }

func (*idle) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.sticky.upstreams.idle", New: func() caddy.Module { return new(idle) }}
}

func validate(config []byte) error {
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	return caddy.Validate(&c)
}
