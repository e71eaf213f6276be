package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// notices is the socket on which a service manager hears what a service of Type=notify has to say.
type notices struct {
	*testing.T
	*net.UnixConn
}

func hearNotices(t *testing.T) notices {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: adminSocket(t), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return notices{t, conn}
}

// expect fails unless just these come next, each the beginning of one.
func (n notices) expect(beginnings ...string) {
	n.Helper()
	_ = n.SetReadDeadline(time.Now().Add(2 * patience))
	for _, beginning := range beginnings {
		buffer := make([]byte, 10000)
		length, err := n.Read(buffer)
		if err != nil {
			n.Fatalf("%v instead of %s", err, beginning)
		}
		if got := string(buffer[:length]); !strings.HasPrefix(got, beginning) {
			n.Fatalf("%q instead of %s", got, beginning)
		}
	}
}

// A service manager is told when the service is ready, reloads, has refused to, and stops; of the command for a
// config.json as well.
func TestNotify(t *testing.T) {
	listen, target := freeAddr(t), greeters(t, 1)[0]
	for name, way := range map[string]struct {
		file, config, broken string
		run, reload          []string
	}{
		"caddy": {
			file:   "Caddyfile",
			config: balance("seamless/"+listen, "", target),
			broken: caddyfile(server{"seamless/" + listen, sticky("pool default", target)}, server{freeAddr(t), "sticky_proxy 127.0.0.1:1 {\npool default\n}"}),
			run:    []string{"run", "--config", "Caddyfile"},
			reload: []string{"reload", "--force", "--config", "Caddyfile"},
		},
		"loadbalancer": {
			file:   "config.json",
			config: legacyText(listen, target, ""),
			broken: legacyText(listen, target, `"balancerControllerPath": "bad.js", `),
			run:    []string{"loadbalancer", "run"},
			reload: []string{"loadbalancer", "reload"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder, manager := t.TempDir(), hearNotices(t)
			write := func(file, text string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(way.file, way.config)
			write("bad.js", "throw new Error();")
			admin := "CADDY_ADMIN=unix/" + adminSocket(t)
			command := func(args ...string) *exec.Cmd {
				cmd := caddyCommand(t, args...)
				cmd.Dir = folder
				cmd.Env = append(cmd.Env, "HOME="+folder, "XDG_CONFIG_HOME="+folder, "XDG_DATA_HOME="+folder, admin,
					"NOTIFY_SOCKET="+manager.LocalAddr().String())
				return cmd
			}
			service := command(way.run...)
			if err := service.Start(); err != nil {
				t.Fatal(err)
			}
			defer service.Process.Kill()
			manager.expect("RELOADING=1", "READY=1")
			who(t, "127.0.0.2", listen)

			if name == "loadbalancer" {
				write(way.file, strings.Replace(way.config, "{", `{"sessionExpiry": 20000, `, 1))
			}
			if output, err := command(way.reload...).CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, output)
			}
			manager.expect("RELOADING=1", "READY=1")
			write(way.file, way.broken)
			if output, err := command(way.reload...).CombinedOutput(); err == nil {
				t.Errorf("it was taken over: %s", output)
			}
			manager.expect("RELOADING=1", "STATUS=", "READY=1")
			if err := service.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			manager.expect("STOPPING=1")
			if err := service.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}

// legacyText returns a config.json with more members.
func legacyText(listen string, target *target, more string) string {
	return fmt.Sprintf(`{%s"sourcePort": %d, "targets": [{"host": "127.0.0.1", "port": %d}]}`, more, portOf(listen), portOf(target.addr))
}
