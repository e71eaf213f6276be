package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// stickyCommand returns a function that runs `caddy sticky` for the endpoint of p, and returns its exit code and what it prints.
func (p *balancerProcess) stickyCommand(t *testing.T) func(args ...string) (code int, stdout, stderr string) {
	return func(args ...string) (int, string, string) {
		t.Helper()
		var stdout, stderr strings.Builder
		cmd := caddyCommand(t, append([]string{"sticky", "--address", "unix/" + p.socket}, args...)...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		_ = cmd.Run()
		return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	}
}

// mustMatch fails unless a command has succeeded and printed what a pattern describes.
func mustMatch(t *testing.T, sticky func(...string) (int, string, string), pattern string, args ...string) {
	t.Helper()
	code, stdout, stderr := sticky(args...)
	if code != 0 || stderr != "" || !regexp.MustCompile("(?s)^"+pattern+"$").MatchString(stdout) {
		t.Errorf("caddy sticky %v: exit code %d, %s\n%s, want\n%s", args, code, stderr, stdout, pattern)
	}
}

// The commands tell what the API tells and do what it does.
func TestStickyCommands(t *testing.T) {
	t.Parallel()
	listen, targets, ip := freeAddr(t), greeters(t, 2), "127.0.0.2"
	p := startCaddy(t, balance(listen, "session_expiry 1h", targets...))
	sticky := p.stickyCommand(t)
	_, at := hold(t, ip, listen)
	home := named(t, targets, at).addr
	who(t, ip, listen)

	mustMatch(t, sticky, `Pool default: 1 connections, 0 of them waiting; 1 sessions, 1 of them live\nUPSTREAM +STATE .*\n`+home+` +active +\d+s +1 +1 +1 +1 +\S.*`, "status")
	mustMatch(t, sticky, `CLIENT .*\n127\.0\.0\.2 +`+home+` +1 +\d+s *\n`, "sessions", "--state", "live")
	mustMatch(t, sticky, `CLIENT [^\n]*\n`, "sessions", "--state", "idle")
	mustMatch(t, sticky, `127\.0\.0\.2 goes to `+home+`: the client has a session there\nIts session:\nCLIENT .*\nThe order without a session:\nUPSTREAM .*\n`+home+` +active +yes *\n.*`, "explain", ip)
	mustMatch(t, sticky, `UPSTREAM .*\n`+home+` +active +\d+s +7 .*\n`, "weight", home, "7", "--pool", "default")
	mustMatch(t, sticky, `UPSTREAM .*\n`+home+` +maintenance +\d+s +7 .*set by an operator *\n`, "drain", home, "--maintenance", "--deadline", "1d", "--rate", "3")
	if o := overrideOf(t, p, home); o != `{"deadline":86400000000000,"rate":3,"state":"maintenance","weight":7}` {
		t.Errorf("what is set is %s", o)
	}
	mustMatch(t, sticky, `UPSTREAM .*\n`+home+` +active +\d+s +1 .*\n`, "activate", home)

	next := filepath.Join(t.TempDir(), "Caddyfile")
	if err := os.WriteFile(next, []byte(balance(listen, "session_expiry 2h", named(t, targets, at))), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := sticky("plan", next)
	if pattern := `^Pool default: changed \(session_expiry\)\nUPSTREAM .*\n\S+ +(removed|unchanged) .*`; code != 0 || !regexp.MustCompile("(?s)"+pattern).MatchString(stdout) {
		t.Errorf("plan: exit code %d, %s\n%s", code, stderr, stdout)
	}
	for path, args := range map[string][]string{
		"pools":                              {"status"},
		"pools/default":                      {"status", "--pool", "default"},
		"pools/default/explain?client=" + ip: {"explain", ip},
	} {
		code, stdout, stderr := sticky(append(args, "--json")...)
		_, want := p.ask(t, "GET", path, "")
		if code != 0 || stderr != "" || compact(t, []byte(stdout)) != compact(t, want) {
			t.Errorf("%v: %s, %s, want %s", args, stdout, stderr, want)
		}
	}
}

// compact returns a document without white space, and without the times of day, whose last digits differ each time.
func compact(t *testing.T, document []byte) string {
	t.Helper()
	var text bytes.Buffer
	if err := json.Compact(&text, document); err != nil {
		t.Errorf("%v: %s", err, document)
	}
	return regexp.MustCompile(`"since":"[^"]*"`).ReplaceAllString(text.String(), "")
}

func overrideOf(t *testing.T, p *balancerProcess, address string) string {
	t.Helper()
	var view struct{ Override map[string]any }
	p.mustAsk(t, "GET", "pools/default/upstreams/"+address, "", &view)
	text, err := json.Marshal(view.Override)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "8.64e+13", "86400000000000")
}

// All sessions are listed, however many pages they take, or as many as are asked for.
func TestStickySessionsOfManyPages(t *testing.T) {
	t.Parallel()
	const count = 1100
	listen, targets := freeAddr(t), greeters(t, 2)
	p := startCaddy(t, balance(listen, "session_expiry 1h", targets...))
	sticky := p.stickyCommand(t)
	whoEach(t, clientIPs(count), listen)
	for limit, want := range map[string]int{"0": count, "1050": 1050, "7": 7} {
		_, stdout, _ := sticky("sessions", "--limit", limit)
		seen := make(map[string]bool)
		for _, client := range regexp.MustCompile(`(?m)^127\.\S+`).FindAllString(stdout, -1) {
			seen[client] = true
		}
		if more := strings.Contains(stdout, fmt.Sprintf("There are more than these %s;", limit)); len(seen) != want || more == (want == count) {
			t.Errorf("--limit %s lists %d, more: %t", limit, len(seen), more)
		}
		var page sessionsView
		if _, stdout, _ = sticky("sessions", "--limit", limit, "--json"); json.Unmarshal([]byte(stdout), &page) != nil || len(page.Sessions) != want || (page.Cursor == "") != (want == count) {
			t.Errorf("--limit %s --json lists %d, with the cursor %q", limit, len(page.Sessions), page.Cursor)
		}
	}
}

// What is refused, or can't be found or asked, is an error in plain words, and the exit code is 1.
func TestStickyErrors(t *testing.T) {
	t.Parallel()
	listen, other, targets := freeAddr(t), freeAddr(t), greeters(t, 1)
	address := targets[0].addr
	p := startCaddy(t, caddyfile(
		server{listen, sticky("", targets...)},
		server{other, "sticky_proxy " + address + " {\npool \"\x1b[2Jodd\"\n}"},
	))
	sticky := p.stickyCommand(t)
	const odd = `"\x1b[2Jodd"`
	for want, args := range map[string][]string{
		`there are several pools; choose one of ` + odd + `, default by --pool`:                                                                    {"sessions"},
		`there are several pools; choose one of ` + odd + `, default by --pool `:                                                                   {"explain", "127.0.0.1"},
		`'` + address + `' may be ` + address + ` in the pool ` + odd + ` or ` + address + ` in the pool default; give the address and its --pool`: {"activate", address},
		`no pool has an upstream 'x:1'`:                                  {"drain", "x:1"},
		`the pool 'default' has no upstream 'x:1'`:                       {"drain", "x:1", "--pool", "default"},
		`there is no pool 'x'`:                                           {"status", "--pool", "x"},
		`client: 'x' is not an IP address`:                               {"explain", "x", "--pool", "default"},
		`state: 'x' is not one of live, idle`:                            {"sessions", "--state", "x", "--pool", "default"},
		`weight: -1 is not from 0 to 65535`:                              {"weight", address, "--pool", "default", "--", "-1"},
		`the weight 'x' is not a whole number`:                           {"weight", address, "x"},
		`rate: 0 is not above zero`:                                      {"drain", address, "--pool", "default", "--rate", "0"},
		`invalid argument "x" for "--deadline" flag: `:                   {"drain", address, "--deadline", "x"},
		`--timeout is of use with --wait only`:                           {"drain", address, "--timeout", "1s"},
		`--limit: -1 is negative`:                                        {"sessions", "--limit", "-1"},
		`--interval: 0s is not above zero`:                               {"top", "--interval", "0s"},
		`reading config from file: open nowhere: no such file`:           {"plan", "nowhere"},
		`sticky has no command "statsu" (did you mean 'status'?)`:        {"statsu"},
		`accepts 1 arg(s), received 0`:                                   {"drain"},
		`the admin endpoint at unix//nowhere can't be asked: dial unix `: {"status", "--address", "unix//nowhere"},
		`the admin endpoint at localhost:1 can't be asked: dial tcp `:    {"status", "--address", "localhost:1"},
	} {
		if code, stdout, stderr := sticky(args...); code != 1 || stdout != "" || !strings.Contains(stderr, "Error: "+strings.TrimSuffix(want, " ")) {
			t.Errorf("caddy sticky %q: exit code %d, %s%s, want %s", args, code, stdout, stderr, want)
		}
	}
	if _, stdout, _ := sticky("status"); !strings.Contains(stdout, "Pool "+odd+":") {
		t.Errorf("a pool with an odd name is shown as %q", stdout)
	}
}

// A drain with --wait returns when the upstream is empty, and fails after its timeout or when the drain is over.
func TestStickyDrainWaits(t *testing.T) {
	t.Parallel()
	listen, targets, ip := freeAddr(t), greeters(t, 2), "127.0.0.2"
	p := startCaddy(t, balance(listen, "session_expiry 1ms", targets...))
	sticky := p.stickyCommand(t)
	conn, at := hold(t, ip, listen)
	home := named(t, targets, at)
	code, _, stderr := sticky("drain", home.addr, "--wait", "--timeout", "300ms")
	if want := home.addr + " has 1 connections and 1 sessions left\nError: " + home.addr + " has 1 connections and 1 sessions left after 300ms\n"; code != 1 || stderr != want {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	drain := func() (ended <-chan string, said *bufio.Reader) {
		t.Helper()
		reader, writer := io.Pipe()
		done := make(chan string, 1)
		cmd := caddyCommand(t, "sticky", "drain", home.addr, "--wait", "--address", "unix/"+p.socket)
		cmd.Stdout, cmd.Stderr = writer, writer
		go func() {
			_ = cmd.Run()
			writer.Close()
			done <- fmt.Sprint(cmd.ProcessState.ExitCode())
		}()
		said = bufio.NewReader(reader)
		if line, err := said.ReadString('\n'); !strings.HasSuffix(line, "left\n") {
			t.Errorf("it says %q, %v", line, err)
		}
		return done, said
	}
	ended, said := drain()
	if code, _, stderr := sticky("activate", home.addr); code != 0 {
		t.Error(stderr)
	}
	if rest, _ := io.ReadAll(said); <-ended != "1" || string(rest) != "Error: "+home.addr+" is not drained any more: it is active\n" {
		t.Errorf("when it is activated, it says %q", rest)
	}
	ended, said = drain()
	p.reload(t, balance(listen, "session_expiry 2ms", targets...)) // which a drain outlives
	select {
	case code := <-ended:
		t.Fatalf("it ends with %s while there is a connection", code)
	case <-time.After(time.Second):
	}
	conn.Close()
	if rest, _ := io.ReadAll(said); <-ended != "0" || !regexp.MustCompile(`(?s)\n`+home.addr+` +drained .*\n$`).Match(rest) {
		t.Errorf("when it is empty, it says %q", rest)
	}
}

// Away from a terminal, top prints table after table, also after the endpoint was away, and ends in peace when it is interrupted.
func TestStickyTop(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 1)
	p := startCaddy(t, balance(listen, "", targets...))
	reader, writer := io.Pipe()
	cmd := caddyCommand(t, "sticky", "top", "--interval", "50ms", "--address", "unix/"+p.socket)
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(reader)
	expect := func(part string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), part) {
				return
			}
		}
		t.Fatalf("it does not print %s: %v", part, lines.Err())
	}
	expect("Pool default: 0 connections")
	hold(t, "127.0.0.2", listen)
	expect("Pool default: 1 connections")
	p.end(t)
	expect("can't be asked")
	path, adapter := writeConfig(t, balance(listen, "", targets...))
	again := launch(t, "CADDY_ADMIN=unix/"+p.socket, "run", "--config", path, "--adapter", adapter)
	t.Cleanup(func() { again.end(t) })
	expect("Pool default: 0 connections")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupted, it ends with %v", err)
	}
}

// Where a load balancer runs with a config of the folder, the commands ask that one, and elsewhere the default endpoint.
func TestStickyFindsFolder(t *testing.T) {
	t.Parallel()
	targets, home := greeters(t, 3), t.TempDir()
	admin := adminSocket(t)
	in := func(folder string, args ...string) string {
		t.Helper()
		cmd := caddyCommand(t, args...)
		cmd.Dir = folder
		cmd.Env = append(cmd.Env, "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "CADDY_ADMIN=unix/"+admin)
		output, _ := cmd.CombinedOutput()
		return string(output)
	}
	start := func(folder, name string, target *target) {
		t.Helper()
		text := fmt.Sprintf(`{"sourcePort": %d, "targets": [{"host": "127.0.0.1", "port": %d}]}`, freePort(t), portOf(target.addr))
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if output := in(folder, "loadbalancer", "start", "--config", name); !strings.Contains(output, "Success") {
			t.Fatal(output)
		}
	}
	t.Cleanup(func() { in(home, "loadbalancer", "stop") })
	folders := []string{t.TempDir(), t.TempDir()}
	for i, folder := range folders {
		start(folder, "config.json", targets[i])
	}
	for folder, at := range map[string]*target{folders[0]: targets[0], folders[1]: targets[1], home: targets[0]} {
		if output := in(folder, "sticky", "status"); !strings.Contains(output, "\n"+at.addr+" ") {
			t.Errorf("in %s: %s", folder, output)
		}
	}
	start(folders[1], "second.json", targets[2])
	if output := in(folders[1], "sticky", "status"); !strings.Contains(output, "Error: several loadbalancers run with configs in this folder; give the --address of one") {
		t.Errorf("where two run: %s", output)
	}
}
