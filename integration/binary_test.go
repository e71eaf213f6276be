package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The binary that the build manifest gives has all modules.
func TestModules(t *testing.T) {
	t.Parallel()
	output, err := caddyCommand(t, "list-modules").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	modules := strings.Fields(string(output))
	for _, module := range []string{
		"layer4.handlers.sticky_proxy",
		"layer4.handlers.sticky_session",
		"layer4.proxy.selection_policies.sticky_ip",
		"caddy.adapters.loadbalancer",
	} {
		if !slices.Contains(modules, module) {
			t.Errorf("%s is missing", module)
		}
	}
}

// A config that makes no sense is refused by the binary, too, before anything listens, with an error that names the fault
// on one line: while a Caddyfile is read, while its JSON is loaded, and in JSON. TestRefuse has all faults.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, refusal := range []struct {
		config string
		says   []string
	}{
		{caddyfile(server{"127.0.0.1:1234", "sticky_proxy 127.0.0.1:9001 {\nsesion_expiry 5s\n}"}), []string{"sesion_expiry", "session_expiry"}},
		{caddyfile(
			server{"127.0.0.1:1234", "sticky_proxy 127.0.0.1:9001 127.0.0.1:9002"},
			server{"127.0.0.1:1235", "sticky_proxy 127.0.0.1:9002"},
		), []string{"pool", "default"}},
		{layer4JSON(`{"handler": "sticky_proxy", "upstreams": [{"dial": "127.0.0.1:9001"}], "sesion_expiry": 1}`), []string{"sesion_expiry"}},
	} {
		path, adapter := writeConfig(t, refusal.config)
		output, err := caddyCommand(t, "validate", "--config", path, "--adapter", adapter).CombinedOutput()
		if err == nil {
			t.Errorf("accepted:\n%s", refusal.config)
			continue
		}
		// The last line is the error itself; those before it may quote the config.
		lines := strings.Split(strings.TrimSpace(string(output)), "\n")
		for _, word := range refusal.says {
			if !strings.Contains(lines[len(lines)-1], word) {
				t.Errorf("the error does not say %q: %s\n%s", word, lines[len(lines)-1], refusal.config)
			}
		}
		if found := trouble.Find(output); found != nil {
			t.Errorf("the output contains %q:\n%s", found, output)
		}
	}
}

// layer4JSON returns a JSON config with one server and one handler.
func layer4JSON(handler string) string {
	return `{"apps": {"layer4": {"servers": {"s": {"listen": ["127.0.0.1:1234"], "routes": [{"handle": [` + handler + `]}]}}}}}`
}

// A config.json of LoadBalancer.js runs as it is and places clients as that program did.
func TestLegacyConfig(t *testing.T) {
	t.Parallel()
	targets, port := greeters(t, 5), freePort(t)
	var list []map[string]any
	for _, target := range targets {
		list = append(list, map[string]any{"host": "127.0.0.1", "port": portOf(target.addr)})
	}
	config, err := json.Marshal(map[string]any{
		"sourcePort": port, "targets": list, "sessionExpiry": 30000, "targetDeactivationDuration": 60000, "balancerCount": 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config.json")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		t.Fatal(err)
	}
	startWith(t, path, "loadbalancer")
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	for ip, index := range map[string]int{"127.0.0.1": 1, "127.0.0.2": 0, "127.0.0.9": 3, "127.0.0.254": 2, "127.0.1.1": 0} {
		if name := who(t, ip, listen); name != targets[index].name {
			t.Errorf("%s is at %s, want %s", ip, name, targets[index].name)
		}
	}
}
