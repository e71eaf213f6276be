package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// stateOfNobody is where a user without a home gets a folder. It stays after the tests: those of other packages may be using it.
const stateOfNobody = "/var/lib/caddy-loadbalancer/nobody"

// nobody returns the user to whom root's privileges are dropped in tests, which must run as root.
func nobody(t *testing.T) *user.User {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root has privileges to drop")
	}
	found, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// lowPort returns 80 if it is free, or another port that only root may bind.
func lowPort(t *testing.T, not ...int) int {
	t.Helper()
	for port := 80; port < 1024; port++ {
		listener, err := net.Listen("tcp", ":"+strconv.Itoa(port))
		if err != nil {
			continue
		}
		listener.Close()
		if len(not) == 0 || port != not[0] {
			return port
		}
	}
	t.Fatal("no low port is free")
	return 0
}

// legacyConfig writes a config.json with more members, for one target.
func legacyConfig(t *testing.T, port int, members string, target *target) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "config.json")
	config := fmt.Sprintf(`{"sourcePort": %d, "targets": [{"host": "127.0.0.1", "port": %d}]%s}`, port, portOf(target.addr), members)
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mustHaveDropped looks at every thread of a process. A thread that is binding a port has its capability in effect
// for that moment.
func mustHaveDropped(t *testing.T, pid int, to *user.User) {
	t.Helper()
	want := map[string]string{
		"Uid": strings.Repeat(to.Uid+" ", 4), "Gid": strings.Repeat(to.Gid+" ", 4), "Groups": "",
		"CapInh": "0000000000000000 ", "CapPrm": "0000000000000400 ", "CapEff": "0000000000000000 ", "CapAmb": "0000000000000000 ",
		"CapBnd": "0000000000000400 ", "NoNewPrivs": "1",
	}
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) < 3 {
		t.Fatalf("%d threads: %v", len(threads), err)
	}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		for name, value := range want {
			line := regexp.MustCompile(`(?m)^` + name + `:(.*)$`).FindSubmatch(status)
			if line == nil {
				t.Fatalf("%s has no line %s", thread, name)
			}
			got := strings.Join(strings.Fields(string(line[1])), " ")
			if got != strings.TrimSpace(value) {
				t.Errorf("%s: %s is %q, want %q", thread, name, got, value)
			}
		}
	}
}

// A load balancer that root starts becomes the user before it opens anything, and serves on a low port. Everything
// works afterwards: reloads, other low ports, the admin API over TCP, autosave and log files.
func TestDowngradeToUser(t *testing.T) {
	to, port, target := nobody(t), lowPort(t), greeters(t, 1)[0]
	admin := freeAddr(t)
	path := legacyConfig(t, port, fmt.Sprintf(`, "downgradeToUser": %s`, to.Uid), target)
	p := launch(t, "CADDY_ADMIN="+admin, "loadbalancer", "run", "--config", path)
	p.admin = http.DefaultClient
	t.Cleanup(func() { p.end(t) })
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	who(t, "127.0.0.2", listen)
	mustHaveDropped(t, p.cmd.Process.Pid, to)

	logFolder, err := os.MkdirTemp("", "caddy-log-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(logFolder) })
	if err := os.Chmod(logFolder, 0o777); err != nil {
		t.Fatal(err)
	}
	second := lowPort(t, port)
	config := p.config(t, admin)
	for round := range 3 {
		log := filepath.Join(logFolder, fmt.Sprint(round))
		config["logging"] = map[string]any{"logs": map[string]any{"default": map[string]any{"writer": map[string]any{"output": "file", "filename": log}}}}
		server := config["apps"].(map[string]any)["layer4"].(map[string]any)["servers"].(map[string]any)["loadbalancer"].(map[string]any)
		server["listen"] = []string{fmt.Sprintf(":%d", port), fmt.Sprintf(":%d", second)}
		p.mustLoad(t, admin, config)
		who(t, "127.0.0.2", listen)
		who(t, "127.0.0.3", fmt.Sprintf("127.0.0.1:%d", second))
		if info, err := os.Stat(log); err != nil || info.Size() == 0 {
			t.Errorf("the log file: %v", err)
		}
	}
	mustHaveDropped(t, p.cmd.Process.Pid, to)
	autosave := filepath.Join(stateOfNobody, ".config", "caddy", "autosave.json")
	if saved, err := os.ReadFile(autosave); err != nil || !bytes.Contains(saved, fmt.Appendf(nil, `":%d"`, second)) {
		t.Errorf("the autosaved config: %v in %s", err, saved)
	}
}

// config returns the running config from an admin API over TCP.
func (p *balancerProcess) config(t *testing.T, admin string) (config map[string]any) {
	t.Helper()
	response, err := p.admin.Get("http://" + admin + "/config/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&config); err != nil {
		t.Fatal(err)
	}
	return config
}

// mustLoad gives the process a config. Caddy replaces an admin socket over TCP with each, which can cut a call off.
func (p *balancerProcess) mustLoad(t *testing.T, admin string, config map[string]any) {
	t.Helper()
	body, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	var failure string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		response, err := p.admin.Post("http://"+admin+"/load", "application/json", bytes.NewReader(body))
		if err != nil {
			failure = err.Error()
			continue
		}
		text, _ := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
		t.Fatalf("reloading: %s: %s", response.Status, text)
	}
	t.Fatalf("reloading: %s", failure)
}
