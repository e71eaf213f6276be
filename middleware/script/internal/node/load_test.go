//go:build unix

package node

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/scripttest"
)

// A script that does not load says in which file and line.
func TestLoadErrors(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  string // a part of the error; DIR is the folder
	}{
		"syntax":           {map[string]string{"balancer.js": "\n\nlet x = ;"}, "DIR/balancer.js:3: SyntaxError: Unexpected token ';'"},
		"syntax elsewhere": {map[string]string{"balancer.js": "require('./a')", "a.js": "\n)"}, "DIR/a.js:2: SyntaxError: Unexpected token ')'"},
		"throws":           {map[string]string{"balancer.js": "\nthrow new Error('no');"}, "DIR/balancer.js:2:7: no"},
		"throws in run":    {map[string]string{"balancer.js": "module.exports.run = () => {\n x.y; }"}, "DIR/balancer.js:2:2: ReferenceError: x is not defined"},
		"throws elsewhere": {map[string]string{"balancer.js": "\nrequire('./a')", "a.js": "\n\nnull.x"}, "DIR/a.js:3:6: TypeError: Cannot read properties of null (reading 'x')"},
		"throws in module": {map[string]string{"balancer.mjs": "\nawait null; throw new Error('no');"}, "DIR/balancer.mjs:2:19: no"},
		"run rejects":      {map[string]string{"balancer.js": "exports.run = async () => {\n  await null;\n  throw new Error('no'); }"}, "DIR/balancer.js:3:9: no"},
		"no run":           {map[string]string{"balancer.js": "module.exports = {}"}, "DIR/balancer.js: module.exports.run is not a function"},
		"exports null":     {map[string]string{"balancer.js": "module.exports = null"}, "DIR/balancer.js: module.exports.run is not a function"},
		"no file":          {nil, "Cannot find module 'DIR/balancer.js'"},
		"no module":        {map[string]string{"balancer.js": "\nrequire('express')"}, "DIR/balancer.js:2:1: Cannot find module 'express'"},
		"bad JSON":         {map[string]string{"balancer.js": "require('./a.json')", "a.json": "{\n  \"a\": 1,\n  b: 2\n}"}, "SyntaxError: DIR/a.json: "},
		"endless":          {map[string]string{"balancer.js": "for (;;) {}"}, "DIR/balancer.js: the script computed for 1s without a pause"},
		"endless run":      {map[string]string{"balancer.js": "exports.run = () => { for (;;) {} }"}, "DIR/balancer.js: the script computed for 1s without a pause"},
		"run never done":   {map[string]string{"balancer.js": "exports.run = () => new Promise(() => {})"}, "DIR/balancer.js: run did not finish in time"},
		"addMiddleware":    {map[string]string{"balancer.js": "exports.run = (b) => b.addMiddleware('x', () => {})"}, "DIR/balancer.js:1:24: TypeError: balancer.addMiddleware: there is no middleware type \"x\""},
		"setTargets":       {map[string]string{"balancer.js": "exports.run = (b) => b.setTargets([])"}, "balancer.setTargets: not available here"},
		"isTargetActive":   {map[string]string{"balancer.js": "exports.run = (b) => b.isTargetActive('a', 1)"}, "balancer.isTargetActive: not available while the script is loaded"},
		"exit":             {map[string]string{"balancer.js": "process.exit(1)"}, "DIR/balancer.js: the script's process ended: exit status 1"},
		"memory":           {map[string]string{"balancer.js": "const all = []; for (;;) all.push(new Array(1000).fill(1.5));"}, "DIR/balancer.js: the script took more than 64 MiB of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := decide.Options{Targets: scripttest.Targets(""), MemoryLimit: 64 << 20}
			if strings.HasPrefix(name, "endless") {
				o.RunLimit = 50 * time.Millisecond
			}
			if name == "run never done" { // which must not look like one that computes, on a busy machine either
				o.RunLimit = 250 * time.Millisecond
			}
			b, err := tryLoad(t, o, c.files)
			want := strings.ReplaceAll(c.want, "DIR", filepath.Dir(b.Path))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

// Modules are found by Node.js, and a file that was deleted from require.cache is read anew.
func TestRequireAnew(t *testing.T) {
	t.Parallel()
	b, err := tryLoad(t, decide.Options{}, map[string]string{"list.json": `["::ffff:192.0.2.1"]`, "balancer.js": `
		exports.run = (b) => b.addMiddleware('connection', (socket, next) => {
			delete require.cache[require.resolve('./list')];
			next(require('./list').includes(socket.remoteAddress) && 'on the list');
		});`})
	if err != nil {
		t.Fatal(err)
	}
	b.Want("192.0.2.1", "on the list")
	b.Want("192.0.2.2", "")
	write(t, filepath.Join(filepath.Dir(b.Path), "list.json"), `["::ffff:192.0.2.2"]`)
	b.Want("192.0.2.1", "")
	b.Want("192.0.2.2", "on the list")
}
