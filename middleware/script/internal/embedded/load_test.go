package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/scripttest"
)

// A script that does not load says in which file and line.
func TestLoadErrors(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string // a part of the error; DIR is the folder
	}{
		"syntax":            {map[string]string{"balancer.js": "\n\nlet x = ;"}, "DIR/balancer.js:3:9: SyntaxError: unexpected token in expression: ';'"},
		"syntax elsewhere":  {map[string]string{"balancer.js": "require('./a')", "a.js": "\n)"}, "DIR/a.js:2:1: SyntaxError: unexpected token in expression: ')'"},
		"throws":            {map[string]string{"balancer.js": "\nthrow new Error('no');"}, "DIR/balancer.js:2:16: no"},
		"throws in run":     {map[string]string{"balancer.js": "module.exports.run = () => {\n x.y; }"}, "DIR/balancer.js:2:2: ReferenceError: x is not defined"},
		"throws elsewhere":  {map[string]string{"balancer.js": "\nrequire('./a')", "a.js": "\n\nnull.x"}, "DIR/a.js:3:5: TypeError: cannot read property 'x' of null"},
		"run rejects":       {map[string]string{"balancer.js": "exports.run = async () => {\n  await null;\n  throw new Error('no'); }"}, "DIR/balancer.js:3:18: no"},
		"no run":            {map[string]string{"balancer.js": "module.exports = {}"}, "DIR/balancer.js: module.exports.run is not a function"},
		"exports null":      {map[string]string{"balancer.js": "module.exports = null"}, "DIR/balancer.js: module.exports.run is not a function"},
		"no file":           {nil, "cannot find the file DIR/balancer.js"},
		"no module":         {map[string]string{"balancer.js": "\nrequire('express')"}, "DIR/balancer.js:2:8: cannot find the module \"express\" from DIR"},
		"no relative":       {map[string]string{"balancer.js": "require('./x')"}, "cannot find the module \"./x\" from DIR"},
		"no Node module":    {map[string]string{"balancer.js": "require('worker_threads')"}, "the module \"worker_threads\" needs runtime node"},
		"no node: module":   {map[string]string{"balancer.js": "require('node:worker_threads')"}, "the module \"worker_threads\" needs runtime node"},
		"bad JSON":          {map[string]string{"balancer.js": "require('./a.json')", "a.json": "{\n  \"a\": 1,\n  b: 2\n}"}, "DIR/a.json:3:3: SyntaxError: expecting property name"},
		"JSON cut off":      {map[string]string{"balancer.js": "require('./a.json')", "a.json": "{\n"}, "DIR/a.json:2:1: SyntaxError: expecting property name"},
		"first line":        {map[string]string{"balancer.js": "x.y"}, "DIR/balancer.js:1:1: ReferenceError: x is not defined"},
		"first line, later": {map[string]string{"balancer.js": "exports.run = async () => { await null; x.y; }"}, "DIR/balancer.js:1:41: ReferenceError: x is not defined"},
		"first line, bad":   {map[string]string{"balancer.js": "let a = ;"}, "DIR/balancer.js:1:9: SyntaxError: unexpected token in expression: ';'"},
		"unknown property":  {map[string]string{"balancer.js": "exports.run = () => {\n  /\\p{Foo}/u; }"}, "DIR/balancer.js:2:3: SyntaxError: unknown unicode property name"},
		"property in range": {map[string]string{"balancer.js": "/[a-\\p{L}]/u"}, "DIR/balancer.js:1:1: SyntaxError: invalid class range"},
		"endless":           {map[string]string{"balancer.js": "for (;;) {}"}, "DIR/balancer.js: the script computed for 1s without a pause"},
		"endless run":       {map[string]string{"balancer.js": "exports.run = () => { for (;;) {} }"}, "DIR/balancer.js: the script computed for 1s without a pause"},
		"recursion":         {map[string]string{"balancer.js": "\nfunction f() { f() } f()"}, "DIR/balancer.js:2:17: too much recursion"},
		"run never done":    {map[string]string{"balancer.js": "exports.run = () => new Promise(() => {})"}, "DIR/balancer.js: run did not finish in time"},
		"addMiddleware":     {map[string]string{"balancer.js": "exports.run = (b) => b.addMiddleware('x', () => {})"}, "TypeError: balancer.addMiddleware: there is no middleware type \"x\""},
		"setTargets":        {map[string]string{"balancer.js": "exports.run = (b) => b.setTargets([])"}, "balancer.setTargets: not available here"},
		"isTargetActive":    {map[string]string{"balancer.js": "exports.run = (b) => b.isTargetActive('a', 1)"}, "balancer.isTargetActive: not available while the script is loaded"},
		"nested":            {map[string]string{"balancer.js": "require('./a')", "a.js": "x = " + strings.Repeat("(", 1e6)}, "too much recursion"},
		"exit":              {map[string]string{"balancer.js": "process.exit(1)"}, "process.exit: not available here"},
		"module not export": {map[string]string{"balancer.js": "require('p/x')", "node_modules/p/package.json": `{"exports": "./a.js"}`}, "the package \"p\" does not export \"./x\""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := decide.Options{Targets: scripttest.Targets("")}
			if strings.HasPrefix(name, "endless") || name == "run never done" {
				o.RunLimit = 50 * time.Millisecond
			}
			b, err := tryLoad(t, o, c.files)
			want := strings.ReplaceAll(c.want, "DIR", filepath.Dir(b.Path))
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
			if err != nil && !strings.Contains(err.Error(), filepath.Dir(b.Path)) {
				t.Errorf("%v does not name a file", err)
			}
		})
	}
}

// Modules are found as Node finds them.
func TestRequire(t *testing.T) {
	files := map[string]string{
		"a.js":                           "exports.name = 'a'; exports.b = require('./b'); exports.file = __filename; exports.folder = __dirname;",
		"b.js":                           "exports.a = require('./a').name; module.exports.main = require.main === module;",
		"list.json":                      "\ufeff[\"192.0.2.1\", 2]",
		"folder/index.js":                "module.exports = 'index';",
		"main/package.json":              `{"main": "lib/start"}`,
		"main/lib/start.js":              "module.exports = 'main';",
		"this.js":                        "this.own = this === exports && this === module.exports;",
		"bang.js":                        "#!/usr/bin/env node\nmodule.exports = 'bang';",
		"node_modules/plain/index.js":    "module.exports = 'plain';",
		"node_modules/one.js":            "module.exports = 'one';",
		"node_modules/@s/p/package.json": `{"main": "x.js"}`,
		"node_modules/@s/p/x.js":         "module.exports = 'scoped ' + require('plain');",
		"node_modules/@s/p/lib/y.js":     "module.exports = 'deep';",
		"node_modules/e/package.json":    `{"main": "no.js", "exports": {".": {"import": "./m.mjs", "require": "./c.cjs"}, "./sub/*": "./lib/*.js", "./sub/no": null}}`,
		"node_modules/e/c.cjs":           "module.exports = 'exported';",
		"node_modules/e/lib/z.js":        "module.exports = 'pattern';",
		"node_modules/d/package.json":    `{"exports": {"node": {"default": "./d.js"}}}`,
		"node_modules/d/d.js":            "module.exports = 'default';",
		"node_modules/punycode/index.js": "module.exports = 'punycode';",
		"balancer.js": `
			const a = require('./a'), path = require('path');
			const words = [
				a === require('./a.js'), a.b.a, a.b.main, a.file === path.join(__dirname, 'a.js'), a.folder === __dirname,
				require('./list').join('+'), require('./folder'), require('./main'), require('./this').own, require('./bang'),
				require('plain'), require('one'), require('@s/p'), require('@s/p/lib/y'), require('e'), require('e/sub/z'), require('d'),
				require('punycode'), require.main === module, require.resolve('./a') === a.file, require.resolve('fs'),
				require('node:fs') === require('fs'), require('fs/promises') === require('fs').promises, module.id === __filename,
			];
			for (const name of ['e/sub/no', './none', 'nothing']) {
				try { require(name); } catch (e) { words.push(e.code); }
			}
			delete require.cache[require.resolve('./a')];
			words.push(require('./a') === a);
			exports.run = (b) => b.addMiddleware('connection', (s, next) => next(words.join('|')));`,
	}
	b, err := tryLoad(t, decide.Options{}, files)
	if err != nil {
		t.Fatal(err)
	}
	b.Want("192.0.2.1", "true|a|false|true|true|192.0.2.1+2|index|main|true|bang|plain|one|scoped plain|deep|exported|pattern|default|"+
		"punycode|false|true|fs|true|true|true|MODULE_NOT_FOUND|MODULE_NOT_FOUND|MODULE_NOT_FOUND|false")
}

// The main module is the program, as under LoadBalancer.js, and modules know who asked for them.
func TestModuleObjects(t *testing.T) {
	expressions(t, map[string]string{"a.js": "module.exports = module;"}, `const a = require('./a');
		if (require.main === module || !module.parent || process.argv[1] === __filename) process.exit();`, [][2]string{
		{`[require.main === module.parent, require.main.parent, require.main.id, typeof require.main.filename]`, `[true,null,".","string"]`},
		{`[a.parent === module, a.id === a.filename, a.path === __dirname, a.loaded, a.require('./a') === a]`, `[true,true,true,true,true]`},
		{`Object.keys(a)`, `["id","path","exports","filename","loaded"]`},
		{`require.resolve('p', { paths: [__dirname] })`, `"throws require.resolve: options: needs runtime node"`},
	})
}

// A file that was deleted from require.cache is read anew, as scripts do to reload a list.
func TestRequireAnew(t *testing.T) {
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

// The path may be relative, and a symbolic link to the script is the script.
func TestPath(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "x", "balancer.js"), "exports.run = (b) => b.addMiddleware('connection', (s, next) => next(require('./y')));")
	write(t, filepath.Join(folder, "x", "y.js"), "module.exports = 'y';")
	t.Chdir(folder)
	s, err := loadPath("x/balancer.js", decide.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Decide(t.Context(), client("192.0.2.1")); err == nil || err.Error() != "y" {
		t.Errorf("got %v", err)
	}
	if err := os.Symlink("x/balancer.js", "link.js"); err != nil {
		t.Fatal(err)
	}
	linked, err := loadPath("link.js", decide.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer linked.Close()
	if err := linked.Decide(t.Context(), client("192.0.2.1")); err == nil || err.Error() != "y" {
		t.Errorf("got %v through a link", err)
	}
}

// A script is found as by require.

// What has no end, or is too large, is not read for a fingerprint.

// ES2020, and what is younger.
func TestSyntax(t *testing.T) {
	b := load(t, decide.Options{}, `
		class A { #p = 1n; static s = 2; get p() { return this.#p; } }
		async function* count() { yield 1; yield 2; }
		exports.run = (b) => b.addMiddleware('connection', async (socket, next) => {
			const words = [];
			for await (const n of count()) words.push(n);
			for await (const n of [3, Promise.resolve(4)]) words.push(n);
			const settled = await Promise.allSettled([1, Promise.reject(2)]);
			const { a, ...rest } = { a: 1, b: 2, ...{ c: 3 } };
			let none = null;
			none ??= 'was null';
			words.push(settled.map((s) => s.status), new A().p ** 70n, socket?.none?.x ?? 'none', Object.keys(rest), none, 1_000,
				[...'a1b2'.matchAll(/\d/g)].flat(), '2020-01'.match(/(?<year>\d+)/).groups.year, [1, [2]].flat(), typeof globalThis);
			next(words.join(' '));
		});`)
	b.Want("192.0.2.1", "1 2 3 4 fulfilled,rejected 1 none b,c was null 1000 1,2 2020 1,2 object")
}

// Without strict mode, functions that are declared in blocks are known outside of them.
func TestBlockFunctions(t *testing.T) {
	expressions(t, nil, `
		if (true) { function a() { return 'a'; } }
		function b(yes) { if (yes) { function c() { return 'c'; } } return typeof c; }
		function d() { switch (1) { case 1: function e() { return 'e'; } } return e(); }
		function f() { 'use strict'; { function g() {} } return typeof g; }`, [][2]string{
		{`[a(), b(true), b(false), d(), f(), a.name]`, `["a","function","undefined","e","undefined","a"]`},
	})
}

// Errors in what was rewritten name the line of the file.
func TestRewrittenPlaces(t *testing.T) {
	b := load(t, decide.Options{}, `
		exports.run = (b) => b.addMiddleware('connection', async (socket, next) => {
			for await (const n of [1]) {

				if (n === 1) throw new Error('here');
			}
		});`)
	if got := b.Ask("192.0.2.1"); !strings.HasPrefix(got, b.Path+":5:") || !strings.HasSuffix(got, ": here") {
		t.Errorf("got %q", got)
	}
}
