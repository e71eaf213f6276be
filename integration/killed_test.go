package integration

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// killable are the ways to run the binary in the background, in a folder with the script allow.js: each one's command
// to start it, the config that it reads, and the command to stop it.
var killable = map[string]struct {
	start, stop []string
	file        string
	config      func(listen, socket string, target *target) string
}{
	"caddy": {
		start: []string{"start", "--config", "Caddyfile", "--pidfile", "pid"},
		stop:  []string{"stop"},
		file:  "Caddyfile",
		config: func(listen, socket string, target *target) string {
			return "{\n\tlayer4 {\n\t\tseamless/" + listen + " unix/" + socket + ` {
			@allowed middleware {
				script ./allow.js
			}
			route @allowed {
				` + sticky("", target) + "\n\t\t\t}\n\t\t}\n\t}\n}\n"
		},
	},
	"loadbalancer": {
		start: []string{"loadbalancer", "start"},
		stop:  []string{"loadbalancer", "stop"},
		file:  "config.json",
		config: func(listen, _ string, target *target) string {
			return fmt.Sprintf(`{"sourcePort": %d, "balancerControllerPath": "allow.js", "targets": [{"host": "127.0.0.1", "port": %d}]}`,
				portOf(listen), portOf(target.addr))
		},
	},
}

// A process that was killed leaves sockets and files behind, and none of them is in the way of the next one.
func TestKilledHindersNothing(t *testing.T) {
	for name, way := range killable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, socket, listen, target := t.TempDir(), adminSocket(t), freeAddr(t), greeters(t, 1)[0]
			for file, text := range map[string]string{
				way.file:   way.config(listen, socket, target),
				"allow.js": "module.exports.run = balancer => balancer.addMiddleware('connection', (socket, next) => next());",
			} {
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			admin := "unix/" + adminSocket(t)
			caddy := backgroundLine(t, folder, admin)
			t.Cleanup(func() { _, _ = commandLine(t, folder, admin)(way.stop...) })
			for range 3 {
				pid := pidIn(t, caddy(way.start...))
				conn, _ := hold(t, "127.0.0.2", listen)
				if name == "caddy" {
					mustGreetAt(t, socket)
				}
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				awaitEnd(t, pid)
				mustClose(t, conn)
			}
			caddy(way.start...)
			who(t, "127.0.0.2", listen)
			caddy(way.stop...)
		})
	}
}

// backgroundLine is commandLine for commands that leave a process behind, which may keep their output open, and that
// must succeed.
func backgroundLine(t *testing.T, folder, admin string) func(args ...string) (output string) {
	return func(args ...string) string {
		t.Helper()
		log, err := os.CreateTemp(t.TempDir(), "log")
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd := caddyCommand(t, args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = folder, log, log
		cmd.Env = append(cmd.Env, "HOME="+folder, "XDG_CONFIG_HOME="+folder, "XDG_DATA_HOME="+folder, "CADDY_ADMIN="+admin)
		failed := cmd.Run()
		output, err := os.ReadFile(log.Name())
		if failed != nil || err != nil {
			t.Fatalf("%v, %v: %s", failed, err, output)
		}
		return string(output)
	}
}

// pidIn returns the PID that the output of a command names.
func pidIn(t testing.TB, output string) int {
	t.Helper()
	found := regexp.MustCompile(`(?i)\(?pid[=: ]+(\d+)`).FindStringSubmatch(output)
	if found == nil {
		t.Fatalf("no PID in %q", output)
	}
	pid, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// awaitEnd waits until a process that is no child has ended, whether or not its parent has noticed.
func awaitEnd(t testing.TB, pid int) {
	t.Helper()
	await(t, "the process to end", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.HasPrefix(string(stat[strings.LastIndexByte(string(stat), ')'):]), ") Z")
	})
}

// mustGreetAt fails unless a target's greeting comes by a Unix socket.
func mustGreetAt(t testing.TB, socket string) {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	mustReadLine(t, conn)
}
