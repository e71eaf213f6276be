package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The old program's command line: start in the background, list, stop.
func TestLegacyCommand(t *testing.T) {
	t.Parallel()
	targets, port, home := greeters(t, 2), freePort(t), t.TempDir()
	config := fmt.Sprintf(`{"sourcePort": %d, "targets": [{"host": "localhost", "port": %d}, {"host": "localhost", "port": %d}]}`,
		port, portOf(targets[0].addr), portOf(targets[1].addr))
	if err := os.WriteFile(filepath.Join(home, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	caddy := commandLine(t, home, "unix/"+adminSocket(t))
	loadbalancer := func(args ...string) (string, error) { return caddy(append([]string{"loadbalancer"}, args...)...) }

	output, err := loadbalancer("start")
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	t.Cleanup(func() { _, _ = loadbalancer("stop") })
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	for ip, index := range map[string]int{"127.0.0.1": 1, "127.0.0.2": 0, "127.0.0.9": 1} {
		if name := who(t, ip, listen); name != targets[index].name {
			t.Errorf("%s is at %s, want %s", ip, name, targets[index].name)
		}
	}

	if output, err = loadbalancer("list"); err != nil || !regexp.MustCompile(`^Index: 0, PID: \d+`).MatchString(output) {
		t.Errorf("list: %v: %q", err, output)
	}
	if output, err = loadbalancer("start", "--config", "config.json"); err == nil || !strings.Contains(output, "sourcePort") {
		t.Errorf("a second one on the same port: %v: %q", err, output)
	}
	if output, err = loadbalancer("stop"); err != nil || !strings.Contains(output, "Success: Stopped") {
		t.Errorf("stop: %v: %q", err, output)
	}
	if conn, err := tryDial("127.0.0.2", listen); err == nil {
		conn.Close()
		t.Error("somebody listens after stop")
	}
	if output, err = loadbalancer("list"); err != nil || output != "" {
		t.Errorf("list after stop: %v: %q", err, output)
	}
	if output, err = loadbalancer("start", "--config", "nowhere.json"); err == nil || !strings.Contains(output, "nowhere.json") {
		t.Errorf("a missing config: %v: %q", err, output)
	}
}

// commandLine returns a function that runs caddy in a folder, where it also keeps its files, with an admin address.
func commandLine(t *testing.T, folder, admin string) func(args ...string) (output string, err error) {
	return func(args ...string) (string, error) {
		t.Helper()
		cmd := caddyCommand(t, args...)
		cmd.Dir = folder
		cmd.Env = append(cmd.Env, "HOME="+folder, "XDG_CONFIG_HOME="+folder, "XDG_DATA_HOME="+folder, "CADDY_ADMIN="+admin)
		output, err := cmd.CombinedOutput()
		return string(output), err
	}
}
