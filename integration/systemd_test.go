package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const unitFolder = "../examples/systemd"

// unit is a unit file of systemd: its settings, in their order, by section and name.
type unit map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(unitFolder, name))
	if err != nil {
		t.Fatal(err)
	}
	settings, section := make(unit), ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		key, value, found := strings.Cut(line, "=")
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			section = strings.Trim(line, "[]")
		case found:
			settings[section+"."+key] = append(settings[section+"."+key], value)
		default:
			t.Errorf("%s: %q is no setting", name, line)
		}
	}
	return settings
}

// The units have what their README promises.
func TestSystemdUnits(t *testing.T) {
	service, socket := readUnit(t, "caddy-sticky.service"), readUnit(t, "caddy-sticky.socket")
	for setting, want := range map[string]string{
		"Service.Type":                    "notify",
		"Service.ExecStart":               "/usr/local/bin/caddy run --config /etc/caddy-sticky/Caddyfile",
		"Service.ExecReload":              "/usr/local/bin/caddy reload --config /etc/caddy-sticky/Caddyfile --force",
		"Service.KillMode":                "mixed",
		"Service.LimitNOFILE":             "1048576",
		"Service.AmbientCapabilities":     "CAP_NET_BIND_SERVICE",
		"Service.CapabilityBoundingSet":   "CAP_NET_BIND_SERVICE",
		"Service.NoNewPrivileges":         "yes",
		"Service.ProtectSystem":           "strict",
		"Service.StateDirectory":          "caddy-sticky",
		"Service.RuntimeDirectory":        "caddy-sticky",
		"Service.RuntimeDirectoryMode":    "0700",
		"Service.RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX AF_NETLINK",
		"Service.MemoryDenyWriteExecute":  "yes",
		"Unit.Requires":                   "caddy-sticky.socket",
	} {
		if got := service[setting]; !slices.Equal(got, []string{want}) {
			t.Errorf("%s is %q, want %q", setting, got, want)
		}
	}
	config, err := os.ReadFile(filepath.Join(unitFolder, "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	loads(t, "caddyfile", string(config))
	name := socket["Socket.FileDescriptorName"]
	if len(name) != 1 || !strings.Contains(string(config), "seamless/fdname/"+name[0]+" {") {
		t.Errorf("the Caddyfile does not have the socket's name, %q", name)
	}
	grace := regexp.MustCompile(`grace_period (\S+)`).FindStringSubmatch(string(config))
	stop := service["Service.TimeoutStopSec"]
	if grace == nil || len(stop) != 1 {
		t.Fatalf("the grace_period is %q, TimeoutStopSec %q", grace, stop)
	}
	if mustParse(t, grace[1]) >= mustParse(t, stop[0]) {
		t.Errorf("systemd kills after %s what has a grace_period of %s", stop[0], grace[1])
	}
}

func mustParse(t *testing.T, text string) time.Duration {
	t.Helper()
	duration, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return duration
}

// systemd understands the units, and finds the service well closed.
func TestSystemdAnalyze(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	folder := t.TempDir()
	for _, name := range []string{"caddy-sticky.service", "caddy-sticky.socket"} {
		text, err := os.ReadFile(filepath.Join(unitFolder, name))
		if err != nil {
			t.Fatal(err)
		}
		// The program must be there.
		text = []byte(strings.ReplaceAll(string(text), "/usr/local/bin/caddy", program))
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{
		{"verify", "--man=no", "./caddy-sticky.service", "./caddy-sticky.socket"},
		{"security", "--no-pager", "--offline=true", "--threshold=20", "./caddy-sticky.service"}, // 2.0 of 10
	} {
		cmd := exec.Command(analyze, args...)
		cmd.Dir = folder
		output, err := cmd.CombinedOutput()
		if err != nil || args[0] == "verify" && len(output) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, output)
		}
	}
}
