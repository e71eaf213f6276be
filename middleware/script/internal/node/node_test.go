//go:build unix

package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// Node.js that is missing, too old or something else is refused with what to do about it.
func TestFind(t *testing.T) {
	folder := t.TempDir()
	fake := func(name, output string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+output+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for path, want := range map[string]string{
		filepath.Join(folder, "none"): "node_path: ",
		fake("old", "echo v16.20.2"):  `/old is version "v16.20.2": install Node.js 18 or newer, set node_path, or choose runtime embedded`,
		fake("bun", "echo 1.2.3"):     `/bun is version "1.2.3"`,
		fake("silent", ""):            `/silent is version ""`,
		fake("broken", "exit 3"):      "/broken --version: exit status 3",
	} {
		if _, err := Find(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	r, err := Find(t.Context(), "")
	if err != nil || !strings.HasPrefix(r.Version(), "v") || filepath.Base(r.Path()) != "node" {
		t.Errorf("got %+v and %v", r, err)
	}
	t.Setenv("PATH", folder)
	if _, err := Find(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "install Node.js 18 or newer, set node_path, or choose runtime embedded") {
		t.Errorf("got %v", err)
	}
}

// The process that dies takes one client with it: the one for whom the script was at work.
// A process that dies of something that was for no client is followed by another one, and the clients that wait are asked
// about again. A client that was in two such processes is kept out.
// A process that was stopped, or whose pipe the script has closed, is replaced, and the clients are decided about.
// pid returns the number of the process of a script that prints it.
// isGone reports whether a process has ended. Nobody may have taken its state yet.
// beParent runs a script that hangs, and says so, until it is killed.
// The process ends with its parent, even if it hangs and the parent is killed.
// A script that is closed leaves no process behind, also if it hangs, and it may do something at its end.
// A script that takes more memory than its limit is stopped or gets an error, whatever it makes. Its process never has more
// than one and a half of that, beyond what it has at first.
// rss returns the memory of a process in bytes, or 0 if it has gone.
// Scripts that die every now and then let everybody in who may come in, and nobody else; a client for whom a script dies
// is kept out.
// Clients that were let in are forgotten when the script has no sockets of them any more, and can be kicked until then.
// What Node.js has, scripts have.
func TestEverything(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"module": {map[string]string{
			"balancer.mjs": `
			import net from 'node:net';
			import { list } from './list.mjs';
			const later = await new Promise((done) => setTimeout(done, 5, 'later'));
			export function run(balancer) { balancer.addMiddleware('connection', (socket, next) => next([list, later, socket instanceof net.Socket].join())); }`,
			"list.mjs": `export const list = await Promise.resolve('list');`,
		}, "list,later,true"},
		"default": {map[string]string{"balancer.mjs": `export default { run(b) { b.addMiddleware('connection', (s, next) => next('default')); } };`}, "default"},
		"server": {map[string]string{"balancer.js": `
			const http = require('http');
			exports.run = async (balancer) => {
				const server = http.createServer((request, response) => response.end('served ' + request.url));
				await new Promise((done) => server.listen(0, '127.0.0.1', done));
				balancer.addMiddleware('connection', (socket, next) => {
					http.get({ port: server.address().port, host: '127.0.0.1', path: '/x' }, (response) => {
						let text = '';
						response.setEncoding('utf8').on('data', (more) => text += more).on('end', () => next(text));
					});
				});
			};`}, "served /x"},
		"parts": {map[string]string{"balancer.js": `
			const { AsyncLocalStorage } = require('async_hooks'), { Worker } = require('worker_threads'), { execFileSync } = require('child_process');
			const als = new AsyncLocalStorage();
			exports.run = (b) => b.addMiddleware('connection', (s, next) => als.run('kept', async () => {
				const zip = require('zlib').gunzipSync(require('zlib').gzipSync('zip')).toString();
				const worker = new Worker('require("worker_threads").parentPort.postMessage("worker")', { eval: true });
				const said = await new Promise((done) => worker.once('message', done));
				next([zip, said, execFileSync('echo', ['child']).toString().trim(), als.getStore(), new Intl.NumberFormat('de').format(1234.5)].join());
			}));`}, "zip,worker,child,kept,1.234,5"},
		"main": {map[string]string{"balancer.js": `
			exports.run = (b) => b.addMiddleware('connection', (s, next) => next([
				require.main === module, module.parent === require.main, require.main.children[0] === module, process.argv.length, process.argv[1] === require.main.filename,
				require.main.id, typeof fs, typeof globalThis.require, typeof globalThis.module, module.id === __filename, process.cwd() === require('path').resolve('.'),
				process.env.LISTEN_FDS, process.env.KEPT].join()));`}, "false,true,true,2,true,.,undefined,undefined,undefined,true,true,,kept"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("LISTEN_FDS", "1")
			t.Setenv("KEPT", "kept")
			b, err := tryLoad(t, decide.Options{}, c.files)
			if err != nil {
				t.Fatal(err)
			}
			b.Want("192.0.2.1", c.want)
		})
	}
}

// What a script prints is logged by lines of a bounded length.
func TestPrinting(t *testing.T) {
	b := open(t, `
		process.stdout.write('raw out\nbinary \xff\0 and ' + 'x'.repeat(20000) + '\n');
		process.stderr.write('raw err\n');
		console.error('an error %d', 7); console.warn('a warning'); console.debug('a detail'); console.log({ a: [1] }, 'x');
		console.log('y'.repeat(20000));
		next();`)
	b.Want("192.0.2.1", "")
	for _, want := range []string{
		`level=INFO msg="raw out"`, `level=WARN msg="raw err"`, `level=ERROR msg="an error 7"`, `level=WARN msg="a warning"`, `level=DEBUG msg="a detail"`,
		`level=INFO msg="{ a: [ 1 ] } x"`, "yyy…", "binary",
	} {
		b.Log.Await(t, want)
	}
	for line := range strings.Lines(b.Log.String()) {
		if len(line) > maxLine+1000 {
			t.Errorf("a line has %d bytes", len(line))
		}
	}
}

// A panic in one of an engine's goroutines ends the engine, and the next one decides.
