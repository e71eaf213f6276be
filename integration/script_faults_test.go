package integration

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Clients who are blocked after they sent a byte leave a socket behind in LoadBalancer.js, and nothing here.
func TestBlockedBySide(t *testing.T) {
	t.Parallel()
	const clients = 50
	script := filepath.Join(t.TempDir(), "balancer.js")
	text := "exports.run = (b) => b.addMiddleware('connection', (socket, next) => setTimeout(next, 20, 'no'));"
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	target := startTarget(t, "a", greet("a"))
	legacy := startLegacy(t, script, target)
	ours, listen := startScripted(t, script, target)
	before := ours.descriptors(t)["socket"]
	legacyBefore := openFiles(t, legacy.cmd.Process.Pid)
	for range clients {
		for _, addr := range []string{legacy.addr, listen} {
			conn := dialFrom(t, "127.0.0.2", addr)
			if _, err := io.WriteString(conn, "x"); err != nil {
				t.Fatal(err)
			}
			mustEnd(t, conn)
			conn.Close()
		}
	}
	await(t, "ours holds no socket more", func() bool { return ours.descriptors(t)["socket"] <= before })
	if n := openFiles(t, legacy.cmd.Process.Pid) - legacyBefore; n < clients {
		t.Errorf("LoadBalancer.js holds %d sockets of %d blocked clients; the comparison has lost its point", n, clients)
	}
}

func openFiles(t testing.TB, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// What a script does to one client spares the others, the process, and the connections that are open.
func TestScriptFaults(t *testing.T) {
	t.Parallel()
	listen, target := freeAddr(t), greeters(t, 1)[0]
	script := filepath.Join(t.TempDir(), "balancer.js")
	text := `exports.run = (b) => b.addMiddleware('connection', (socket, next) => {
		switch (socket.remoteAddress) {
			case '::ffff:127.0.0.2': for (;;) {}
			case '::ffff:127.0.0.3': return (function again() { again(); })();
			case '::ffff:127.0.0.4': for (let s = 'xy', all = [];;) s.length < 2 ** 24 ? s += s : all.push(s + all.length);
			case '::ffff:127.0.0.5': return next(/^(\w+\s?)*(?=$)\1$/.test('x'.repeat(32) + '!'));
			case '::ffff:127.0.0.6': return void Promise.reject(new Error('nobody cares'));
			case '::ffff:127.0.0.7': return next('x'.repeat(2 ** 31));
		}
		setTimeout(next, 5);
	});`
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	caddy := startCaddy(t, guarded(listen, "script "+script, target))
	open, _ := hold(t, "127.0.0.100", listen)
	each(12, func(i int) {
		if i < 6 {
			mustEnd(t, dialFrom(t, fmt.Sprintf("127.0.0.%d", 2+i), listen))
		} else {
			who(t, fmt.Sprintf("127.0.0.%d", 100+i), listen)
		}
	})
	mustEcho(t, open)
	who(t, "127.0.0.200", listen)
	for _, want := range []string{"computed for 1s without a pause", "too much recursion", "nobody cares", "invalid repeat count", "starts anew"} {
		if !strings.Contains(caddy.Log(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	// A busy machine may give it too little time to take much memory.
	if !regexp.MustCompile(`"client":"127.0.0.4:\d+","middleware":"script","reason":"the script (took|computed)`).MatchString(caddy.Log()) {
		t.Error("the log does not say why the client who took memory was blocked")
	}
}

// A script that does not load keeps Caddy from starting, and a reload from changing anything.
func TestBrokenScript(t *testing.T) {
	t.Parallel()
	listen, target := freeAddr(t), greeters(t, 1)[0]
	script := filepath.Join(t.TempDir(), "balancer.js")
	rewrite := func(text string) {
		if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := guarded(listen, "script "+script, target)
	rewrite("exports.run = (b) => b.addMiddleware('connection', (socket, next) => next(socket.remoteAddress.endsWith('.2') && 'no'));")
	caddy := startCaddy(t, config)
	mustEnd(t, dialFrom(t, "127.0.0.2", listen))
	who(t, "127.0.0.3", listen)

	rewrite("exports.run = (b) => {\n  b.nothing();\n};")
	if err := caddy.load(config); err == nil || !strings.Contains(err.Error(), script+":2:12: TypeError: not a function") {
		t.Errorf("got %v", err)
	}
	mustEnd(t, dialFrom(t, "127.0.0.2", listen))
	who(t, "127.0.0.3", listen)
	path, adapter := writeConfig(t, config)
	output, err := caddyCommand(t, "run", "--config", path, "--adapter", adapter).CombinedOutput()
	if err == nil || !strings.Contains(string(output), script+":2:12: TypeError") {
		t.Errorf("got %v and %s", err, output)
	}

	rewrite("exports.run = (b) => b.addMiddleware('connection', (socket, next) => next(socket.remoteAddress.endsWith('.3') && 'no'));")
	caddy.reload(t, config)
	who(t, "127.0.0.2", listen)
	mustEnd(t, dialFrom(t, "127.0.0.3", listen))
}
