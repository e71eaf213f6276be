package integration

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// movingCommands are those of the page about moving the sessions from HAProxy.
var movingCommands = []string{
	"echo 'show table targets' | socat stdio /run/haproxy/admin.sock > table",
	"echo 'show servers state targets' | socat stdio /run/haproxy/admin.sock > servers",
	"caddy sticky sessions import table --servers servers",
}

// runMovingCommands runs these with a socket of HAProxy, in a folder. Flags in place of --servers are those of the last one.
func runMovingCommands(t *testing.T, socket, folder string, p *balancerProcess, flags ...string) (code int, stdout, stderr string) {
	t.Helper()
	asking := regexp.MustCompile(`^echo '(.*)' \| socat stdio /run/haproxy/admin\.sock > (\w+)$`)
	for _, command := range movingCommands {
		if parts := asking.FindStringSubmatch(command); parts != nil {
			if socket != "" {
				writeInto(t, folder, parts[2], askHAProxy(t, socket, parts[1]))
			}
			continue
		}
		args := strings.Fields(strings.TrimPrefix(command, "caddy sticky "))
		if flags != nil {
			args = append(args[:3], flags...)
		}
		for i, arg := range args {
			if path := filepath.Join(folder, arg); i > 1 && exists(path) {
				args[i] = path
			}
		}
		code, stdout, stderr = p.stickyCommand(t)(args...)
	}
	return code, stdout, stderr
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func writeInto(t *testing.T, folder, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// askHAProxy returns what HAProxy answers to a command at its socket, once that is there.
func askHAProxy(t *testing.T, socket, command string) string {
	t.Helper()
	var conn net.Conn
	await(t, "haproxy", func() (ok bool) {
		var err error
		conn, err = net.Dial("unix", socket)
		return err == nil
	})
	defer conn.Close()
	if _, err := io.WriteString(conn, command+"\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

// startHAProxy runs HAProxy with some proxies until the test ends, and returns its socket. The test is skipped if there is no HAProxy.
func startHAProxy(t *testing.T, proxies string) (socket string) {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("there is no haproxy")
	}
	folder := t.TempDir()
	socket = adminSocket(t)
	writeInto(t, folder, "haproxy.cfg", "global\nstats socket "+socket+" level admin\ndefaults\nmode tcp\ntimeout connect 3s\ntimeout client 1m\ntimeout server 1m\n"+proxies)
	cmd := exec.CommandContext(t.Context(), program, "-db", "-f", filepath.Join(folder, "haproxy.cfg"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // the context has ended by then
	return socket
}

// A move is from HAProxy with one kind of stick table.
type move struct {
	table, stick string
	flags        func(targets []*target) []string // nil for those of the page
	options      string                           // of sticky_proxy
	v6           bool                             // the table knows IPv6 from IPv4
}

var moves = map[string]move{
	"ip":     {table: "type ip", stick: "src"},
	"ipv6":   {table: "type ipv6 srvkey addr", stick: "src", flags: func([]*target) []string { return []string{} }, v6: true},
	"string": {table: "type string len 40 store gpc0,conn_rate(10s)", stick: "src", flags: namedServers, v6: true},
	"prefix": {table: "type ipv6", stick: "src,ipmask(24,64)", options: "client_prefix 24 64"},
}

// Clients of HAProxy that change to us with its stick table stay at their targets, whatever the table's type is.
func TestImportFromHAProxy(t *testing.T) {
	for name, m := range moves {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			targets, ips := greeters(t, 3), clientIPs(60)
			if m.options != "" {
				ips = everySecond(everySecond(clientIPs(1500))) // of several prefixes
			}
			front, front6, listen, listen6 := freeAddr(t), freeAddr6(t), freeAddr(t), freeAddr6(t)
			socket := startHAProxy(t, fmt.Sprintf("frontend web\nbind %s\nbind %s\ndefault_backend targets\n"+
				"backend targets\nbalance roundrobin\nstick-table %s size 10k expire 10m\nstick on %s\nserver a %s\nserver b %s\nserver c %s\n",
				front, front6, m.table, m.stick, targets[0].addr, targets[1].addr, targets[2].addr))
			askHAProxy(t, socket, "show info")
			homes := make(map[string]string)
			for _, ip := range ips { // one after the other, as HAProxy may send two clients of a prefix that come at once to two servers
				homes[ip] = who(t, ip, front)
			}
			home6 := who(t, "::1", front6)
			hold(t, ips[0], front)
			proxy := sticky("session_expiry 1h\n"+m.options, targets...)
			p := startCaddy(t, caddyfile(server{listen, proxy}, server{listen6, proxy}))
			m.run(t, socket, p, targets)

			if moved := differing(homes, whoEach(t, ips, listen)); moved > 0 {
				t.Errorf("of %d clients %d are at another target than before", len(ips), moved)
			}
			if name := who(t, "::1", listen6); m.v6 && name != home6 {
				t.Errorf("the client with IPv6 is at %s, want %s", name, home6)
			}
			p.mustAsk(t, "DELETE", "pools/default/sessions?all=true", "", new(struct{}))
			if moved := differing(homes, whoEach(t, ips, listen)); moved == 0 {
				t.Error("placement has all clients where HAProxy had them")
			}
		})
	}
}

// run runs the commands of the page, which must import all clients.
func (m *move) run(t *testing.T, socket string, p *balancerProcess, targets []*target) {
	t.Helper()
	var flags []string
	if m.flags != nil {
		flags = m.flags(targets)
	}
	code, stdout, stderr := runMovingCommands(t, socket, t.TempDir(), p, flags...)
	if code != 0 || stderr != "" || !regexp.MustCompile(`\n[1-9]\d* +0 +0 +0 +0 *\n`).MatchString(stdout) {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
}

// namedServers tells of each server by a flag, of one by its id.
func namedServers(targets []*target) []string {
	return []string{"--server", "a=" + targets[0].addr, "--server", "2=" + targets[1].addr, "--server", "c=" + targets[2].addr}
}

func differing(a, b map[string]string) (n int) {
	for key, value := range a {
		if b[key] != value {
			n++
		}
	}
	return n
}

// The command of the page imports what several versions of HAProxy have dumped.
func TestImportOfRecordedTables(t *testing.T) {
	t.Parallel()
	listen := freeAddr(t)
	p := startCaddy(t, caddyfile(server{listen, "sticky_proxy 127.0.0.1:9201 127.0.0.1:9202 {\nsession_expiry 1h\n}"}))
	for _, version := range []string{"2.4.0", "2.6.12", "3.5-dev5"} {
		folder := t.TempDir()
		var want map[string]string
		for _, kind := range []string{"table", "servers"} {
			text, err := os.ReadFile("../command/internal/haproxy/testdata/" + version + "." + kind)
			if err != nil {
				t.Fatal(err)
			}
			whole := string(text)
			if kind == "table" { // the first one alone
				whole, _, _ = strings.Cut(whole, "\n# table: v6")
				want = recordedHomes(whole)
			}
			writeInto(t, folder, kind, whole)
		}
		code, stdout, stderr := runMovingCommands(t, "", folder, p)
		if code != 0 || stderr != "" || !strings.Contains(stdout, "\n4 ") {
			t.Errorf("%s: exit code %d, %s%s", version, code, stdout, stderr)
		}
		var page sessionsView
		p.mustAsk(t, "GET", "pools/default/sessions", "", &page)
		for _, s := range page.Sessions {
			if want[s.Client] != s.Upstream || s.ExpiresIn == nil || *s.ExpiresIn > 600 || *s.ExpiresIn < 500 {
				t.Errorf("%s: a session is %+v, want it at %s", version, s, want[s.Client])
			}
		}
		if len(page.Sessions) != len(want) || len(want) != 4 {
			t.Errorf("%s: %d sessions, want %v", version, len(page.Sessions), want)
		}
		p.mustAsk(t, "DELETE", "pools/default/sessions?all=true", "", new(struct{}))
	}
}

// recordedHomes returns where the clients of a recorded table are, whose servers are s1 and s2.
func recordedHomes(table string) map[string]string {
	homes := make(map[string]string)
	for _, entry := range regexp.MustCompile(`key=(\S+) .*server_key=s(\d)`).FindAllStringSubmatch(table, -1) {
		homes[entry[1]] = "127.0.0.1:920" + entry[2]
	}
	return homes
}
