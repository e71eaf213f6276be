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

	want := fmt.Sprintf(`^Index: 0, PID: \d+, .*\n  localhost:%d is active\n  localhost:%d is active\n$`, portOf(targets[0].addr), portOf(targets[1].addr))
	if output, err = loadbalancer("list"); err != nil || !regexp.MustCompile(want).MatchString(output) {
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
	if output, err = loadbalancer("list"); err != nil || output != "No loadbalancers are running\n" {
		t.Errorf("list after stop: %v: %q", err, output)
	}
	if output, err = loadbalancer("start", "--config", "nowhere.json"); err == nil || !strings.Contains(output, "nowhere.json") {
		t.Errorf("a missing config: %v: %q", err, output)
	}
}

// A reload in a load balancer's folder is for that one, and says why if it is refused.
func TestLegacyReload(t *testing.T) {
	t.Parallel()
	targets, home := greeters(t, 3), t.TempDir()
	var folders, listens []string
	var loadbalancers []func(args ...string) (string, error)
	write := func(i int, target *target) {
		t.Helper()
		text := fmt.Sprintf(`{"sourcePort": %d, "targets": [{"host": "127.0.0.1", "port": %d}]}`, portOf(listens[i]), portOf(target.addr))
		if err := os.WriteFile(filepath.Join(folders[i], "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		folder := t.TempDir()
		folders, listens = append(folders, folder), append(listens, freeAddr(t))
		write(i, targets[i])
		loadbalancers = append(loadbalancers, func(args ...string) (string, error) {
			cmd := caddyCommand(t, append([]string{"loadbalancer"}, args...)...)
			cmd.Dir = folder
			cmd.Env = append(cmd.Env, "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home)
			output, err := cmd.CombinedOutput()
			return string(output), err
		})
		if output, err := loadbalancers[i]("start"); err != nil {
			t.Fatalf("%v: %s", err, output)
		}
	}
	t.Cleanup(func() { _, _ = loadbalancers[0]("stop") })

	write(1, targets[2])
	if output, err := loadbalancers[1]("reload"); err != nil {
		t.Errorf("%v: %s", err, output)
	}
	for i, want := range []string{"a", "c"} {
		if name := who(t, "127.0.0.2", listens[i]); name != want {
			t.Errorf("%s serves at the one with index %d, want %s", name, i, want)
		}
	}
	port := portOf(listens[1])
	listens[1] = listens[0]
	write(1, targets[1])
	output, err := loadbalancers[1]("reload")
	if err == nil || !strings.Contains(output, "the process with PID ") || !strings.Contains(output, "listens there already") {
		t.Errorf("the port of the other one: %v: %s", err, output)
	}
	if name := who(t, "127.0.0.2", fmt.Sprintf("127.0.0.1:%d", port)); name != "c" {
		t.Errorf("after the refused reload %s serves", name)
	}
	list, err := loadbalancers[0]("list")
	if want := fmt.Sprintf(`^Index: 0, .*, Port: %d, Admin: \S+\n  %s is active\nIndex: 1, PID: \d+, Config: %s/config.json, Port: %d, Admin: unix//\S+\n  %s is active\n$`,
		portOf(listens[0]), targets[0].addr, folders[1], port, targets[2].addr); err != nil || !regexp.MustCompile(want).MatchString(list) {
		t.Errorf("list: %v: %s", err, list)
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

// With a gracePeriod, connections go on when the load balancer is stopped, and the command waits for them.
func TestLegacyGracePeriod(t *testing.T) {
	t.Parallel()
	targets, listen, home := greeters(t, 1), freeAddr(t), t.TempDir()
	config := fmt.Sprintf(`{"sourcePort": %d, "gracePeriod": 3600000, "targets": [{"host": "127.0.0.1", "port": %d}]}`, portOf(listen), portOf(targets[0].addr))
	if err := os.WriteFile(filepath.Join(home, "config.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	caddy := commandLine(t, home, "unix/"+adminSocket(t))
	if output, err := caddy("loadbalancer", "start"); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	conn, _ := hold(t, "127.0.0.2", listen)
	var output string
	var err error
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		output, err = caddy("loadbalancer", "stop")
	}()
	await(t, "new connections to be refused", func() bool { return !listens(listen) })
	stillServed(t, conn)
	select {
	case <-stopped:
		t.Error("the command did not wait for the connection")
	default:
	}
	conn.Close()
	if <-stopped; err != nil || !strings.Contains(output, "Success: Stopped") {
		t.Errorf("%v: %q", err, output)
	}
}
