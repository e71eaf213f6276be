package legacy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/mholt/caddy-l4/layer4"

	"github.com/caddy-sticky/caddy-sticky/l4sticky"
)

// fixture is a config.json and, after lines of dashes, what is expected of it.
type fixture struct {
	name, input string
	expected    []string
}

// fixtures reads testdata/folder. The line break before a line of dashes belongs to neither part.
func fixtures(t testing.TB, folder string) []fixture {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures in testdata/%s: %v", folder, err)
	}
	var all []fixture
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split("\n"+string(data), "\n----------\n")
		all = append(all, fixture{filepath.Base(path), strings.TrimPrefix(parts[0], "\n"), parts[1:]})
	}
	return all
}

func TestAdapt(t *testing.T) {
	for _, f := range fixtures(t, "adapt") {
		t.Run(f.name, func(t *testing.T) {
			result, warnings, err := caddyconfig.GetAdapter(adapterName).
				Adapt([]byte(f.input), map[string]any{"filename": "some/config.json"})
			if err != nil {
				t.Fatal(err)
			}
			// Paths become absolute: FOLDER stands for the folder that the test runs in.
			if here, err := os.Getwd(); err != nil {
				t.Fatal(err)
			} else {
				result = bytes.ReplaceAll(result, []byte(here), []byte("FOLDER"))
				for i, w := range warnings {
					warnings[i].Message = strings.ReplaceAll(w.Message, here, "FOLDER")
				}
			}
			var expected bytes.Buffer
			if err := json.Compact(&expected, []byte(f.expected[0])); err != nil {
				t.Fatal(err)
			}
			if string(result) != expected.String() {
				t.Errorf("got\n%s\nexpected\n%s", result, expected.Bytes())
			}
			var warned strings.Builder
			for _, w := range warnings {
				if w.File != "some/config.json" {
					t.Errorf("the warning %v is not about the file", w)
				}
				if in := strings.Split(f.input, "\n"); w.Line == 0 || w.Line > len(in) || strings.Trim(in[w.Line-1], "{}[] ") == "" {
					t.Errorf("the warning %v is not about its line", w)
				}
				warned.WriteString(w.Directive + ": " + w.Message + "\n")
			}
			if expected := strings.Join(f.expected[1:], "\n"); warned.String() != expected {
				t.Errorf("got the warnings\n%s\nexpected\n%s", warned.String(), expected)
			}
			decodeStrictly(t, result)
		})
	}
}

func TestRefuse(t *testing.T) {
	for _, f := range fixtures(t, "refuse") {
		t.Run(f.name, func(t *testing.T) {
			result, warnings, err := adapter{}.Adapt([]byte(f.input), nil)
			if err == nil {
				t.Fatalf("adapted to %s", result)
			}
			if result != nil || warnings != nil {
				t.Errorf("got %s and %v beside the error", result, warnings)
			}
			if expected := strings.TrimSuffix(f.expected[0], "\n"); err.Error() != expected {
				t.Errorf("got\n%v\nexpected\n%s", err, expected)
			}
		})
	}
}

// A config that is posted to /load has no file name.
func TestAdaptWithoutFile(t *testing.T) {
	body := []byte(`{"sourcePort": 80, "balancerCount": 1, "targets": [{"host": "localhost", "port": 8000}]}`)
	for _, options := range []map[string]any{nil, {}, {"filename": nil}} {
		_, warnings, err := adapter{}.Adapt(body, options)
		if err != nil {
			t.Fatal(err)
		}
		if len(warnings) != 1 || warnings[0].File != "" {
			t.Errorf("options %v: got the warnings %v", options, warnings)
		}
	}
}

// Where the user is refused, the script has not run. Caddy looks at a config's apps in another order each time.
func TestRefusedBeforeScript(t *testing.T) {
	script := filepath.Join(t.TempDir(), "balancer.js")
	if err := os.WriteFile(script, []byte("throw new Error('it has run');"), 0o600); err != nil {
		t.Fatal(err)
	}
	body := fmt.Appendf(nil, `{"sourcePort": 80, "downgradeToUser": "no-such-user", "balancerControllerPath": %q, "targets": [{"port": 8000}]}`, script)
	adapted, _, err := adapter{}.Adapt(body, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		var config caddy.Config
		strict(t, adapted, &config)
		if err := caddy.Validate(&config); err == nil || !strings.Contains(err.Error(), "there is no user 'no-such-user'") {
			t.Fatalf("got %v", err)
		}
	}
}

func FuzzAdapt(f *testing.F) {
	for _, folder := range []string{"adapt", "refuse"} {
		for _, fixture := range fixtures(f, folder) {
			f.Add([]byte(fixture.input))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		result, warnings, err := adapter{}.Adapt(body, nil)
		if err != nil {
			if message := err.Error(); strings.ContainsAny(message, "\r\n") || len(message) > 1000 {
				t.Errorf("not one short line: %q", message)
			}
			return
		}
		for _, w := range warnings {
			if strings.ContainsAny(w.Directive+w.Message, "\r\n") {
				t.Errorf("not one line: %q", w.Message)
			}
		}
		decodeStrictly(t, result)
	})
}

// decodeStrictly checks that the adapted config has nothing that the modules do not know, and that
// every address in it can be parsed.
func decodeStrictly(t *testing.T, adapted []byte) {
	t.Helper()
	var config caddy.Config
	var app layer4.App
	strict(t, adapted, &config)
	strict(t, config.AppsRaw["layer4"], &app)
	server := app.Servers["loadbalancer"]
	if _, err := caddy.ParseNetworkAddress(server.Listen[0]); err != nil {
		t.Error(err)
	}
	// Caddy takes the name out before it decodes the handler.
	var fields map[string]json.RawMessage
	strict(t, server.Routes[0].HandlersRaw[0], &fields)
	name := string(fields["handler"])
	delete(fields, "handler")
	nameless, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	var handler l4sticky.Handler
	strict(t, nameless, &handler)
	if name != `"sticky_proxy"` || len(handler.Upstreams) == 0 {
		t.Errorf("not sticky_proxy with upstreams: %s", adapted)
	}
	for _, u := range handler.Upstreams {
		if a, err := caddy.ParseNetworkAddress(u.Dial); err != nil || a.Network != "tcp" || a.PortRangeSize() != 1 {
			t.Errorf("upstream %q: %v, %v", u.Dial, a, err)
		}
		if strings.ContainsAny(u.Dial, "{}") {
			t.Errorf("upstream %q has a placeholder", u.Dial)
		}
	}
}

func strict(t *testing.T, data []byte, into any) {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("decoding %s: %v", data, err)
	}
}
