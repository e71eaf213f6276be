package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// What can't be is refused: nothing listens, and nothing runs as root that should not.
func TestDowngradeRefused(t *testing.T) {
	to, target := nobody(t), greeters(t, 1)[0]
	uid, err := strconv.Atoi(to.Uid)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		command   string
		user      string
		asNobody  bool
		complaint string
	}{
		{"loadbalancer run", `"no-such-user"`, false, `downgradeToUser: there is no user 'no-such-user'`},
		{"loadbalancer start", `"no-such-user"`, false, `downgradeToUser: there is no user 'no-such-user'`},
		{"loadbalancer run", `4000000000`, false, `downgradeToUser: there is no user '4000000000'`},
		{"loadbalancer run", `"root"`, false, `downgradeToUser: "root" is not a user other than root`},
		{"run --adapter loadbalancer", `"nobody"`, false, `caddy runs as root, and can't become 'nobody' any more: start it with 'caddy loadbalancer run`},
		{"run --adapter loadbalancer", `"no-such-user"`, false, `there is no user 'no-such-user'`},
		{"loadbalancer run", `"daemon"`, true, `caddy runs with UID ` + to.Uid + `, which can't become 'daemon'`},
		{"run --adapter loadbalancer", `"daemon"`, true, `caddy runs with UID ` + to.Uid + `, which can't become 'daemon'`},
	} {
		port := freePort(t)
		path := legacyConfig(t, port, `, "downgradeToUser": `+c.user, target)
		cmd := caddyCommand(t, append(strings.Fields(c.command), "--config", path)...)
		cmd.Env = append(cmd.Env, "CADDY_ADMIN="+freeAddr(t))
		if c.asNobody {
			asNobody(t, cmd, path, uid)
		}
		output, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() < 1 {
			t.Errorf("%s as %s: %v", c.command, c.user, err)
		}
		if !strings.Contains(string(output), c.complaint) {
			t.Errorf("%s as %s: the output does not say %q:\n%s", c.command, c.user, c.complaint, output)
		}
		if strings.Contains(string(output), "serving initial configuration") {
			t.Errorf("%s as %s served", c.command, c.user)
		}
	}
}

// The script is looked at by the user who runs it, not by root.
func TestDowngradeWithoutScript(t *testing.T) {
	nobody(t)
	script := filepath.Join(t.TempDir(), "balancer.js")
	if err := os.WriteFile(script, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	path := legacyConfig(t, freePort(t), fmt.Sprintf(`, "downgradeToUser": "nobody", "balancerControllerPath": %q`, script), greeters(t, 1)[0])
	output, err := caddyCommand(t, "loadbalancer", "run", "--config", path).CombinedOutput()
	if want := "balancerControllerPath: " + script + " can't be read: permission denied"; err == nil || !strings.Contains(string(output), want) {
		t.Errorf("%v: the output does not say %q:\n%s", err, want, output)
	}
}

// asNobody makes a command run as that user, with folders of its own and a copy of the config.
func asNobody(t *testing.T, cmd *exec.Cmd, config string, uid int) {
	t.Helper()
	dir, err := os.MkdirTemp("", "caddy-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	text, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "config.json")
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, copied} {
		if err := os.Chown(path, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	cmd.Dir, cmd.Args[len(cmd.Args)-1] = dir, copied
	cmd.Env = append(cmd.Env, "HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_DATA_HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}

// Who is that user already may say so.
func TestDowngradeAlreadyDone(t *testing.T) {
	to, target, port := nobody(t), greeters(t, 1)[0], freePort(t)
	uid, err := strconv.Atoi(to.Uid)
	if err != nil {
		t.Fatal(err)
	}
	path := legacyConfig(t, port, `, "downgradeToUser": "nobody"`, target)
	cmd := caddyCommand(t, "loadbalancer", "start", "--config", path)
	cmd.Env = append(cmd.Env, "CADDY_ADMIN="+freeAddr(t))
	asNobody(t, cmd, path, uid)
	stop := exec.Command(program, "loadbalancer", "stop")
	stop.Dir, stop.Env, stop.SysProcAttr = cmd.Dir, cmd.Env, cmd.SysProcAttr
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	t.Cleanup(func() {
		if output, err := stop.CombinedOutput(); err != nil || !strings.Contains(string(output), "Success: Stopped") {
			t.Errorf("%v: %s", err, output)
		}
	})
	who(t, "127.0.0.2", fmt.Sprintf("127.0.0.1:%d", port))
}
