package integration

import (
	"os"
	"path/filepath"
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
	for _, network := range []string{"", "seamless/"} {
		listen, target := freeAddr(t), startTarget(t, "a", greet("a"))
		startCaddy(t, guarded(network+listen, "script "+script, target))
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
