package embedded

import (
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// State is new after a restart, and the script is the one that was loaded, whatever became of its file.
func TestRestartIsTheSame(t *testing.T) {
	b := load(t, decide.Options{RunLimit: shortRun}, `
		let calls = 0;
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			while (socket.remoteAddress === '::ffff:192.0.2.66');
			next('call ' + ++calls);
		});`)
	b.Want("192.0.2.1", "call 1")
	b.Want("192.0.2.1", "call 2")
	write(t, b.Path, "not JavaScript")
	b.Want("192.0.2.66", "the script computed for 400ms without a pause")
	b.Want("192.0.2.1", "call 1")
	b.Want("192.0.2.66", "the script computed for 400ms without a pause")
	b.Want("192.0.2.1", "call 1")
}

// When it cannot be started anew, everybody is blocked until it can.
func TestRestartFails(t *testing.T) {
	b := load(t, decide.Options{RunLimit: shortRun}, `
		const fs = require('fs');
		if (fs.existsSync(__dirname + '/broken')) throw new Error('broken');
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			while (socket.remoteAddress === '::ffff:192.0.2.66');
			next();
		});`)
	write(t, strings.TrimSuffix(b.Path, "balancer.js")+"broken", "")
	b.Want("192.0.2.66", "the script computed for 400ms without a pause")
	b.Want("192.0.2.1", "the script is down: FILE:3:60: broken")
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
		"a chain of promises": `
			let blocked = [];
			const { readFile } = fs.promises;
			readFile(__dirname + '/names', 'utf8').then((name) => readFile(__dirname + '/' + name)).then((list) => { blocked = JSON.parse(list); });
			module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
				while (socket.remoteAddress === '::ffff:192.0.2.66');
				next(blocked.includes(socket.remoteAddress) && 'on the list');
			});`,
		"the middleware": `
			module.exports.run = async (balancer) => read((list) => balancer.addMiddleware('connection', (socket, next) => {
				while (socket.remoteAddress === '::ffff:192.0.2.66');
				next(list.includes(socket.remoteAddress) && 'on the list');
			}));`,
	} {
		t.Run(name, func(t *testing.T) {
			b, err := tryLoad(t, decide.Options{RunLimit: shortRun}, map[string]string{"names": "list.json", "list.json": `["::ffff:192.0.2.7"]`, "balancer.js": `
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
