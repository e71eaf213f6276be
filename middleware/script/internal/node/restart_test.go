//go:build unix

package node

import (
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// State is new after a restart, and the files are read anew.
func TestRestart(t *testing.T) {
	const text = `
		let calls = 0;
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			while (socket.remoteAddress === '::ffff:192.0.2.66');
			next('call ' + ++calls);
		});`
	b := run(t, decide.Options{RunLimit: shortRun}, text)
	b.Want("192.0.2.1", "call 1")
	b.Want("192.0.2.1", "call 2")
	b.Want("192.0.2.66", "the script computed for 400ms without a pause")
	b.Want("192.0.2.1", "call 1")
	write(t, b.Path, strings.Replace(text, "call ", "changed ", 1))
	b.Want("192.0.2.66", "the script computed for 400ms without a pause")
	b.Want("192.0.2.1", "changed 1")
}

// When it cannot be started anew, everybody is blocked until it can.
func TestRestartFails(t *testing.T) {
	b := run(t, decide.Options{RunLimit: shortRun}, `
		const fs = require('fs');
		if (fs.existsSync(__dirname + '/broken')) throw new Error('broken');
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			while (socket.remoteAddress === '::ffff:192.0.2.66');
			next();
		});`)
	write(t, strings.TrimSuffix(b.Path, "balancer.js")+"broken", "")
	b.Want("192.0.2.66", "the script computed for 400ms without a pause")
	b.Want("192.0.2.1", "the script is down: FILE:3:51: broken")
	b.Log.Await(t, "all clients are blocked")
}

// Nobody is decided about before the script has what it has begun to read, neither at first nor when it starts anew.
func TestPreparedFirst(t *testing.T) {
	for name, script := range map[string]string{
		"a list": `
			let blocked = new Set();
			read((list) => blocked = new Set(list));
			module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
				while (socket.remoteAddress === '::ffff:192.0.2.66');
				next(blocked.has(socket.remoteAddress) && 'on the list');
			});`,
		"the middleware": `
			module.exports.run = async (balancer) => read((list) => balancer.addMiddleware('connection', (socket, next) => {
				while (socket.remoteAddress === '::ffff:192.0.2.66');
				next(list.includes(socket.remoteAddress) && 'on the list');
			}));`,
	} {
		t.Run(name, func(t *testing.T) {
			b, err := tryLoad(t, decide.Options{RunLimit: shortRun}, map[string]string{"list.json": `["::ffff:192.0.2.7"]`, "balancer.js": `
				const fs = require('fs');
				const read = (use) => fs.stat(__dirname, () => fs.readFile(__dirname + '/list.json', (error, text) => use(JSON.parse(text))));` + script})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				b.Want("192.0.2.7", "on the list")
				stopped := make(chan string)
				go func() { stopped <- b.Ask("192.0.2.66") }()
				b.Log.Await(t, "starts anew")
				b.Log.Clear()
				b.Want("192.0.2.7", "on the list")
				if got, want := <-stopped, "the script computed for 400ms without a pause"; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}
