//go:build unix

package legacy

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
)

// oneTarget is what list prints for the target of a load balancer.
const oneTarget = `  127\.0\.0\.1:\d+ is active\n`

func TestStartListStop(t *testing.T) {
	b := newBox(t)
	const odd = "\x1b[2Jsecond\n.json"
	first, second := b.config("config.json", "one"), b.config(odd, "two")

	b.expect(0, "No loadbalancers are running\n", "list")
	b.expect(0, "No loadbalancers are running\n", "stop")
	b.expect(1, `Error: there is no loadbalancer with index 3: none is running\n`, "stop", "3")
	b.expect(0, `Success: Started loadbalancer, PID: \d+\n`, "start")
	b.served(first, "one")
	b.expect(1, `Error: the loadbalancer did not start: \S+/config.json: sourcePort: \d+ is the port of the loadbalancer with PID \d+, which has just been started\n`, "start")
	b.expect(0, `Success: Started loadbalancer, PID: \d+\n`, "start", "-c", odd)
	b.served(second, "two")
	b.expect(0, fmt.Sprintf(`Index: 0, PID: \d+, Config: /\S+/config.json, Port: %d, Admin: %s\n`, portOf(t, first), regexp.QuoteMeta(b.admin))+oneTarget+
		fmt.Sprintf(`Index: 1, PID: \d+, Config: "/\S+/\\x1b\[2Jsecond\\n\.json", Port: %d, Admin: unix//\S+\.sock\n`, portOf(t, second))+oneTarget, "list")

	b.expect(1, `Error: there is no loadbalancer with index 2: the last one has 1\n`, "stop", "2")
	b.expect(1, `Error: "x" is not an index of the list, such as 0\n`, "stop", "x")
	b.expect(0, `Success: Stopped loadbalancer with index 1, PID: \d+\n`, "stop", "1")
	if conn, err := net.Dial("tcp", second); err == nil {
		_ = conn.Close()
		t.Error("the second one still listens")
	}
	b.served(first, "one")
	b.expect(0, `Success: Stopped loadbalancers\n`, "stop")
	b.expect(0, "No loadbalancers are running\n", "list")
	b.nothingLeft()
}

func TestStartErrors(t *testing.T) {
	b := newBox(t)
	b.write("bad.json", `{"sourcePort": 70000, "targets": [{"host": "localhost", "port": 8000}]}`)
	const failed = `Error: the loadbalancer did not start: `
	b.expect(1, failed+`reading the config: open \S+/config.json: no such file or directory\n`, "start")
	b.expect(1, failed+`\S+/bad.json: sourcePort: 70000 is not a port from 1 to 65535\n`, "start", "--config", "bad.json")
	b.expect(1, `Error: reading the config: open none.json: no such file or directory\n`, "run", "--config", "none.json")
	b.expect(1, `Error: bad.json: sourcePort: 70000 is not a port from 1 to 65535\n`, "run", "-c", "bad.json")
	b.expect(1, `(?s)Usage:\n.*Available Commands:.*\nError: loadbalancer has no command "stopp" \(did you mean 'stop'\?\)\n`, "stopp", "--config", "x")
	b.expect(0, `(?s).*Usage:\n.*`)

	b.expect(1, `Error: reading the config: open /dev/stdin: not a regular file\n`, "run", "--config", "/dev/stdin")
	b.expect(1, failed+`reading the config: open /dev/fd/0: not a regular file\n`, "start", "--config", "/dev/fd/0")
	b.write("script.json", fmt.Sprintf(`{"sourcePort": %d, "balancerControllerPath": "none.js", "targets": [{"host": "localhost", "port": 8000}]}`,
		portOf(t, freeport.Addr(t))))
	const missing = `.*balancerControllerPath: /\S+/none.js can't be read: no such file or directory`
	b.expect(1, failed+missing+`\n`, "start", "--config", "script.json")
	b.expect(1, `(?s)`+missing+`.*`, "run", "--config", "script.json")

	taken, err := net.Listen("tcp", freeport.Addr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	says := "listen tcp :%d: bind: address already in use"
	if runtime.GOOS == "linux" {
		says = fmt.Sprintf(`%%d: the process with PID %d \(legacy\.test\) listens there already`, os.Getpid())
	}
	port := portOf(t, taken.Addr().String())
	b.write("taken.json", fmt.Sprintf(`{"sourcePort": %d, "targets": [{"host": "localhost", "port": 8000}]}`, port))
	b.expect(1, failed+`\S+/taken.json: sourcePort: `+fmt.Sprintf(says, port)+`\n`, "start", "--config", "taken.json")

	// An error of Caddy's own, after the config was read.
	b.config("config.json", "")
	b.admin = "nonsense:address:1"
	b.expect(1, failed+`loading initial config: .*\n`, "start")
	b.nothingLeft()
}

func TestRun(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, os.Interrupt} {
		t.Run(signal.String(), func(t *testing.T) {
			b := newBox(t)
			address := b.config("config.json", "hello")
			cmd := b.command("run")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(10 * time.Second); !answers("tcp", address) && time.Now().Before(deadline); {
				time.Sleep(stopInterval)
			}
			b.served(address, "hello")
			b.expect(0, fmt.Sprintf("Index: 0, PID: %d, Config: .*\n", cmd.Process.Pid)+oneTarget, "list")
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			b.nothingLeft()
		})
	}
}

// A crash leaves an instance's file behind, and its PID may belong to another process since.
func TestStaleInstances(t *testing.T) {
	b := newBox(t)
	b.config("config.json", "")
	b.expect(0, `Success: .*\n`, "start")
	instances := filepath.Join(b.folder, "data", "caddy", adapterName)
	entries, err := os.ReadDir(instances)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	pid, err := strconv.Atoi(strings.TrimSuffix(entries[0].Name(), ".json"))
	if err != nil {
		t.Fatal(err)
	}
	one := &instance{PID: pid, Start: startOf(pid)}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); one.alive() && time.Now().Before(deadline); {
		time.Sleep(stopInterval)
	}
	stale := []instance{{PID: 0}, {PID: -1}, {PID: 1 << 30}}
	if runtime.GOOS == "linux" {
		stale = append(stale, instance{PID: os.Getpid()}, instance{PID: os.Getppid(), Start: startOf(os.Getpid())})
	}
	for _, one := range stale {
		one.folder = instances
		if err := one.write(); err != nil {
			t.Fatal(err)
		}
	}
	b.expect(0, "No loadbalancers are running\n", "stop")
	b.nothingLeft()
}

// Of those that start on one port at the same moment one does.
func TestOnePort(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a lock for it")
	}
	b := newBox(t)
	b.config("config.json", "")
	const count = 4
	var wait sync.WaitGroup
	var started atomic.Int32
	for range count {
		wait.Go(func() {
			if b.command("start").Run() == nil {
				started.Add(1)
			}
		})
	}
	wait.Wait()
	if got := started.Load(); got != 1 {
		t.Errorf("%d have started", got)
	}
	b.expect(0, `Index: 0, PID: \d+, Config: \S+, Port: \d+, Admin: \S+\n`+oneTarget, "list")
	b.expect(0, `Success: Stopped loadbalancers\n`, "stop")
	b.nothingLeft()
}

// Instances that start at the same moment have an admin endpoint each.
func TestAdminEndpoints(t *testing.T) {
	b := newBox(t)
	const count = 3
	var wait sync.WaitGroup
	for i := range count {
		name := fmt.Sprintf("%d.json", i)
		b.config(name, "")
		wait.Go(func() { b.expect(0, `Success: .*\n`, "start", "--config", name) })
	}
	wait.Wait()

	ports := make(map[string]bool)
	sockets, err := filepath.Glob(filepath.Join(b.folder, "data", "caddy", adapterName, "*.sock"))
	if err != nil || len(sockets) != count-1 {
		t.Errorf("got the sockets %v (%v), expected %d", sockets, err, count-1)
	}
	ports[listens(t, "tcp", b.admin)] = true
	for _, socket := range sockets {
		ports[listens(t, "unix", socket)] = true
	}
	if len(ports) != count {
		t.Errorf("some admin endpoints are the same: %v", ports)
	}
	b.expect(0, `Success: Stopped loadbalancers\n`, "stop")
	b.nothingLeft()
}

// An admin endpoint that was chosen is not shared either: the instance that is started later gets its own.
func TestChosenAdminEndpoint(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		b := newBox(t)
		chosen := freeport.Addr(t)
		if network == "unix" {
			chosen = "unix/" + filepath.Join(b.folder, "chosen")
		}
		for _, name := range []string{"config.json", "second.json"} {
			b.config(name, name)
			cmd := b.command("start", "--config", name)
			cmd.Env = append(cmd.Env, "CADDY_ADMIN="+chosen)
			if output, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
		}
		b.expect(0, `Index: 0, .*, Admin: `+regexp.QuoteMeta(chosen)+`\n`+oneTarget+`Index: 1, .*, Admin: unix/\S+\.sock\n`+oneTarget, "list")
		moved := b.config("second.json", "moved")
		b.expect(0, `Success: .*\n`, "reload", "--config", "second.json")
		b.served(moved, "moved")
	}
}

// folderOfNobody returns the folder that is made for the user nobody, who has no home, when root becomes that user.
func folderOfNobody(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		t.Skip("only root on Linux has privileges to drop")
	}
	return "/var/lib/caddy-loadbalancer/nobody" // it stays after the tests: those of other packages may be using it
}

// An instance that has become another user has its admin socket where that user may write.
func TestAdminEndpointOfDowngraded(t *testing.T) {
	state := folderOfNobody(t)
	b := newBox(t)
	b.config("first.json", "")
	address := b.config("second.json", "two")
	text, err := os.ReadFile(filepath.Join(b.folder, "second.json"))
	if err != nil {
		t.Fatal(err)
	}
	b.write("second.json", strings.Replace(string(text), "{", `{"downgradeToUser": "nobody", `, 1))
	b.expect(0, `Success: .*\n`, "start", "--config", "first.json")
	b.expect(0, `Success: .*\n`, "start", "--config", "second.json")
	b.served(address, "two")
	instances := filepath.Join(state, ".local", "share", "caddy", adapterName)
	sockets, err := filepath.Glob(filepath.Join(instances, "*.sock"))
	if err != nil || len(sockets) != 1 {
		t.Fatalf("got the sockets %v (%v), expected one", sockets, err)
	}
	if got, want := listens(t, "unix", sockets[0]), fmt.Sprintf("%q\n", fmt.Sprintf("seamless/:%d", portOf(t, address))); got != want {
		t.Errorf("it listens on %q, expected %q", got, want)
	}
	b.expect(0, `Success: Stopped loadbalancers\n`, "stop")
	b.nothingLeft()
	if left, err := os.ReadDir(instances); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v (%v)", left, err)
	}
}

// What has become another user can't remove its own file; the next command does, and start does it for what failed.
func TestDowngradedLeavesNothing(t *testing.T) {
	folderOfNobody(t)
	b := newBox(t)
	b.write("config.json", fmt.Sprintf(`{"sourcePort": %d, "downgradeToUser": "nobody", "balancerControllerPath": "none.js", "targets": [{"port": 8000}]}`,
		portOf(t, freeport.Addr(t))))
	b.expect(1, `Error: the loadbalancer did not start: .*none.js can't be read: permission denied\n`, "start")
	b.nothingLeft()
	b.expect(1, `(?s).*none.js can't be read: permission denied.*`, "run")
	b.expect(0, "No loadbalancers are running\n", "list")
	b.nothingLeft()
}

// The stop of an instance waits for its grace period, as far as that can be known.
func TestGracePeriodOfInstance(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.json")
	one := instance{Config: config}
	if got := one.gracePeriod(); got != 0 {
		t.Errorf("without a config it is %v", got)
	}
	text := `{"sourcePort": 80, "gracePeriod": 45000, "targets": [{"port": 8000}]}`
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := one.gracePeriod(); got != 45*time.Second {
		t.Errorf("it is %v, want 45s", got)
	}
}
