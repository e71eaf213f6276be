package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// oneEach is a script that lets each client have one connection at a time.
const oneEach = `
const open = new Set();
module.exports.run = function (balancer) {
	balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
		if (open.has(socket.remoteAddress)) {
			return next('one is enough');
		}
		open.add(socket.remoteAddress);
		socket.on('close', () => open.delete(socket.remoteAddress));
		next();
	});
};
`

// A script learns of a client's end when its connection ends, and not when a handler takes it over.
func TestScriptCountsConnections(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "balancer.js")
	if err := os.WriteFile(script, []byte(oneEach), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct{ network, runtime string }{{"", "embedded"}, {"seamless/", "embedded"}, {"seamless/", "node"}} {
		listen, target := freeAddr(t), startTarget(t, "a", greet("a"))
		startCaddy(t, guarded(way.network+listen, "script "+script+" {\nruntime "+way.runtime+"\n}", target))
		first, _ := hold(t, "127.0.0.2", listen)
		for began := time.Now(); time.Since(began) < 500*time.Millisecond; { // ends are looked for every 100 ms
			mustClose(t, dialFrom(t, "127.0.0.2", listen))
		}
		hold(t, "127.0.0.3", listen)
		first.Close()
		await(t, "the client's place", func() bool {
			_, err := tryWho("127.0.0.2", listen)
			return err == nil
		})
	}
}

// kickLater is a script that lets everybody in, and kicks them after a while. It does not listen to all of them.
const kickLater = `
module.exports.run = function (balancer) {
	balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
		if (socket.remoteAddress.endsWith('.2')) {
			setTimeout(() => socket.on('close', () => console.log('left ' + socket.remoteAddress)), 50);
		}
		if (!socket.remoteAddress.endsWith('.4')) {
			setTimeout(() => socket.remoteAddress.endsWith('.3') ? socket.end() : socket.destroy(), 100);
		}
		next();
	});
};
`

// A script can kick a client that was let in, whoever has its connection by then.
func TestScriptKicks(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "balancer.js")
	if err := os.WriteFile(script, []byte(kickLater), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, front := range map[string]struct{ network, handler, runtime string }{
		"plain":    {"", "sticky_proxy", "embedded"},
		"seamless": {"seamless/", "sticky_proxy", "embedded"},
		"proxy":    {"", "proxy", "embedded"},
		"both":     {"seamless/", "proxy", "embedded"},
		"node":     {"seamless/", "sticky_proxy", "node"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen, target := freeAddr(t), startTarget(t, "a", greet("a"))
			config := guarded(front.network+listen, "script "+script+" {\nruntime "+front.runtime+"\n}", target)
			caddy := startCaddy(t, strings.Replace(config, "sticky_proxy", front.handler, 1))
			stays, _ := hold(t, "127.0.0.4", listen)
			for _, ip := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
				began := time.Now()
				conn, _ := hold(t, ip, listen)
				if mustClose(t, conn); time.Since(began) < 50*time.Millisecond {
					t.Errorf("%s was kicked too soon", ip)
				}
			}
			await(t, "the script learns of the end", func() bool { return strings.Contains(caddy.Log(), "left ::ffff:127.0.0.2") })
			await(t, "the target has only the client who stays", func() bool { return target.open() == 1 })
			if _, err := stays.Write([]byte("echo\n")); err != nil {
				t.Fatal(err)
			}
			if echo := mustReadLine(t, stays); echo != "echo" {
				t.Errorf("got %q", echo)
			}
		})
	}
}
