package modules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// small is a runtime that has little.
var small = Runtime{
	Modules: map[string][]string{
		"fs":          {"readFileSync", "existsSync", "promises"},
		"fs/promises": {"readFile"},
		"crypto":      {"randomBytes", "createHash"},
		"util":        {"promisify"},
		"process":     {"env", "on"},
		"events":      nil,
		"module":      {"createRequire"},
	},
	Missing: []string{"fetch", "WebSocket", "Intl"},
	Methods: []string{"swap16"},
}

func scanned(t testing.TB, files map[string]string) string {
	t.Helper()
	needs, err := Scan(filepath.Join(folderOf(t, files), "balancer.js"), small)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, n := range needs {
		lines = append(lines, strings.TrimPrefix(n.String(), "balancer.js:"))
	}
	return strings.Join(lines, "; ")
}

func TestScan(t *testing.T) {
	for script, want := range map[string]string{
		// Modules.
		`require('http')`:                                             `1: require("http")`,
		"\n\nconst h = require(`node:http`)":                          `3: require("node:http")`,
		"import h from 'http'":                                        "1: import",
		"import 'fs'; export * from \"fs\"":                           "1: import; 1: export",
		"\n\nexport const run = a":                                    "3: export",
		"export default { run() {} }":                                 "1: export",
		"f(() => import('fs'));":                                      "1: import()",
		`module.require('http')`:                                      `1: require("http")`,
		`require('node:test'); require('stream/web')`:                 `1: require("node:test"); 1: require("stream/web")`,
		"#!/usr/bin/node\nrequire('tls')":                             `2: require("tls")`,
		"\ufeffrequire('tls')":                                        `1: require("tls")`,
		"exports.run = () => {\n later(() => {\nrequire('http') }) }": `3: require("http")`,
		"if (a) return\nrequire('http')":                              `2: require("http")`,
		"require('http')\nrequire('http')":                            `1: require("http")`,
		`require('fs'); require('node:fs'); require("fs/promises"); require('events').once`:        "",
		`require('nowhere'); require('./nowhere'); require(name); require('ht' + 'tp'); require()`: "",
		`"require('http')"; // require('http')`:                                                    "",
		"`require('http')`; /require('http')/":                                                     "",
		`(function (require) { require('http') })(load)`:                                           "",
		`x.require('http'); require.resolve('http'); typeof require`:                               "",

		// What may be missing.
		`try { require('http') } catch {}`:                     "",
		`try { require('./x.node') } catch { require('./y') }`: "",
		`try { a } catch { require('http') }`:                  `1: require("http")`,
		`try { require('http') } finally {}`:                   `1: require("http")`,
		`try { f(() => require('http')) } catch {}`:            `1: require("http")`,

		// Members.
		`require('fs').writeFileSync(a)`:                                                           "1: fs.writeFileSync",
		"const fs = require('fs')\nfs.writeFileSync(a)\nfs.writeFileSync(b)":                       "2: fs.writeFileSync",
		`const fs = require('fs'); fs['writeFileSync'](a)`:                                         "1: fs.writeFileSync",
		`const { createCipheriv } = require('crypto'); createCipheriv(a)`:                          "1: crypto.createCipheriv",
		`const { createHash: h, createCipheriv: c } = require('crypto'); h(); c()`:                 "1: crypto.createCipheriv",
		`let fs; fs = require('fs'); fs.statSync(a)`:                                               "1: fs.statSync",
		`const f = __importDefault(require('fs')); f.default.existsSync(a); f.default.statSync(a)`: "1: fs.statSync",
		`var c = _interopRequireDefault(require("crypto")); c.default.randomFillSync(a)`:           "1: crypto.randomFillSync",
		`const f = tslib_1.__importStar(require('fs')); f.statSync(a)`:                             "1: fs.statSync",
		`const fs_1 = require('fs'); (0, fs_1.existsSync)(a); (0, fs_1.statSync)(a)`:               "1: fs.statSync",
		`const f = other(require('fs')); f.statSync(a)`:                                            "",
		`const w = require('fs').writeFileSync; w(a)`:                                              "1: fs.writeFileSync",
		`const fs = require('fs').promises; fs.writeFile(a)`:                                       "1: fs.promises.writeFile",
		`const { promises: { writeFile } } = require('fs'); writeFile()`:                           "1: fs.promises.writeFile",
		`const { promisify } = require('util'); promisify(require('fs').stat)`:                     "1: fs.stat",
		`class C extends require('fs').Dirent {}`:                                                  "1: fs.Dirent",
		`new (require('fs').Dirent)(); a instanceof require('fs').Stats`:                           "1: fs.Dirent; 1: fs.Stats",
		`process.exit(1); process.env.X; process.env.X.trim()`:                                     "1: process.exit",
		`fs.writeFileSync(a); const fs = require('fs')`:                                            "1: fs.writeFileSync",
		`const fs = require('fs'); fs.readFileSync(a); fs.toString(); fs.hasOwnProperty('x')`:      "",
		`const fs = require('fs'); (fs => fs.writeFileSync())(mine)`:                               "",
		`let fs = require('fs'); fs = mine; fs.writeFileSync(a)`:                                   "",
		`function f(fs = require('fs')) { fs.writeFileSync() }`:                                    "",
		`mine.writeFileSync(a); const crypto = mine; crypto.createCipheriv()`:                      "",
		`const C = require('crypto'); exports.uuid = { native: C.randomUUID }`:                     "",

		`f(require('fs').stat); g({ stat: require('fs').cp })`: "1: fs.stat",
		`Buffer.from(a).swap16()`:                              "1: swap16()",
		`a.swap16?.(); a.swap16; swap16()`:                     "",

		// Members and globals for which the script tests.
		`const fs = require('fs'); if (fs.cp) fs.cp(a)`:                                    "",
		`const fs = require('fs'); fs.cp && fs.cp(a); fs.rm ? fs.rm(a) : 0; fs.watch?.(a)`: "",
		`const fs = require('fs'); if (typeof fs.cp === 'function') fs.cp(a)`:              "",
		`const fs = require('fs'); if (!fs.cp) return; fs.cp(a)`:                           "",
		`const fs = require('fs'); if ('cp' in fs) fs.cp(a)`:                               "",
		`const fs = require('fs'); fs.cp = mine; fs.cp(a)`:                                 "",
		`const fs = require('fs'); (fs.cp || mine)(a)`:                                     "",
		`const { cp } = require('fs'); if (cp) cp(a)`:                                      "",
		`const { cp = mine } = require('fs'); cp(a)`:                                       "",
		`const fs = require('fs'); if (a && fs.cp) fs.cp(a)`:                               "",

		// Globals.
		`fetch(a)`:                                             "1: fetch",
		"async () => {\nawait fetch(a) }":                      "2: fetch",
		`new WebSocket(a); new Intl.DateTimeFormat()`:          "1: WebSocket; 1: Intl",
		`globalThis.fetch(a)`:                                  "1: fetch",
		`f(fetch)`:                                             "1: fetch",
		`typeof fetch`:                                         "",
		`if (typeof fetch !== 'undefined') fetch(a)`:           "",
		`const f = globalThis.fetch || mine; f(a)`:             "",
		`const f = typeof fetch === 'function' ? fetch : mine`: "",
		`const fetch = mine; fetch(a)`:                         "",
		`function f(fetch) { fetch(a) }`:                       "",
		`a.fetch(b); ({ fetch: 1, fetch() {} }).fetch()`:       "",
		`globalThis.fetch = mine; fetch(a)`:                    "",
		`fetch = mine; fetch(a)`:                               "",

		// Old code.
		`require('fs').mkdirSync(a, 0755); '/0755'`: "1: fs.mkdirSync",

		// What is no JavaScript.
		`require('http'`: "",
		`{`:              "",
		``:               "",
	} {
		if got := scanned(t, map[string]string{"balancer.js": script}); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", script, got, want)
		}
	}
}

// All files are read that a script can reach.
func TestScanFiles(t *testing.T) {
	got := scanned(t, map[string]string{
		"balancer.js":                          "require('./a'); require('p'); try { require('./c') } catch {}; try { require('q') } catch {}",
		"a.js":                                 "require('./balancer'); require('./sub'); require('./list'); fetch(1)",
		"list.json":                            "require('tls')",
		"sub/index.js":                         "\nlater(() => require('http')); require('../x.node')",
		"x.node":                               "",
		"c.js":                                 "require('net')",
		"node_modules/p/package.json":          `{"exports": "./m.js"}`,
		"node_modules/p/m.js":                  "require('stream'); require('string_decoder/'); require('assert')",
		"node_modules/assert/x.js":             "",
		"node_modules/string_decoder/index.js": "WebSocket()",
		"node_modules/q/index.js":              "require('dns')",
		"node_modules/stream.js":               "require('vm')",
	})
	want := `a.js:1: fetch; node_modules/p/m.js:1: require("assert"); c.js:1: require("net"); sub/index.js:2: require("http"); ` +
		`sub/index.js:2: require("../x.node"); node_modules/stream.js:1: require("vm"); node_modules/string_decoder/index.js:1: WebSocket`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// What one file gives the others, they do not lack.
func TestScanPolyfill(t *testing.T) {
	files := map[string]string{"balancer.js": "require('./p'); fetch(a); require('fs').cp(a)", "p.js": "global.fetch = mine; require('fs').cp ||= mine"}
	if got := scanned(t, files); got != "" {
		t.Error(got)
	}
}

func TestNeedsError(t *testing.T) {
	needs := Needs{{"balancer.js", 12, `require("http")`}}
	if got, want := needs.Error(), `balancer.js:12: require("http"): not in the embedded runtime, needs runtime node`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := slices.Repeat(needs, 9).Error(); !strings.Contains(got, `, and 4 more: not in`) {
		t.Error(got)
	}
}

func TestScanOfNothing(t *testing.T) {
	folder := t.TempDir()
	for _, path := range []string{filepath.Join(folder, "none"), folder, "/dev/zero"} {
		if _, err := Scan(path, small); err == nil {
			t.Errorf("%s can be scanned", path)
		}
	}
}

// A scan of however much ends soon, and passes over what has no end.
func TestScanBounds(t *testing.T) {
	folder := folderOf(t, nil)
	write(t, filepath.Join(folder, "balancer.js"), "require('./endless'); require('./large'); require('./0'); require('http')")
	if err := os.Symlink("/dev/zero", filepath.Join(folder, "endless.js")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(folder, "large.js"), "fetch(1);"+strings.Repeat(" ", scanFile))
	body := strings.Repeat("function f(a, b) { return a.x['y'] + `${b}` + /z/.test(a) ? { a, b } : [a, ...b]; }\n", 20) + "//" + strings.Repeat(" x", 8000)
	for i := range 2 * scanFiles {
		write(t, filepath.Join(folder, fmt.Sprintf("%d.js", i)), fmt.Sprintf("require('./%d'); %s", i+1, body))
	}
	start := time.Now()
	needs, err := Scan(filepath.Join(folder, "balancer.js"), small)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Logf("it took %v", took)
	}
	if want := `balancer.js:1: require("http"): not in the embedded runtime, needs runtime node`; err != nil || needs.Error() != want {
		t.Errorf("got %v and %v", needs, err)
	}
}

// What is nested deeply does not overflow the stack.
func TestScanOfDeepCode(t *testing.T) {
	for _, c := range [][3]string{ // a beginning, what is repeated, and an end
		{"", "(", ""},
		{"", "!", ""},
		{"", "a=>", "1"},
		{"x", ".a", ""},
		{"x", "()", ""},
		{"1", "+1", ""},
		{"", "a?", ""},
		{"", "if(a)", ""},
		{"", "{", ""},
		{"let ", "[", ""},
		{"let ", "{a:", ""},
		{"", "`${", ""},
		{"", "a:", ""},
		{"", "new ", "a"},
		{"", "class A extends ", "B{}"},
		{"function f(", "[", ""},
		{"", "else if(a);", ""},
		{"", "x=", "1"},
		{"x", "**1", ""},
		{"", "async ", ""},
		{"", "await ", "1"},
		{"", "({get a(){return ", ""},
		{"", "[...", ""},
		{"var a", ",a", ""},
		{"", "a;", ""},
		{"", "<!--", ""},
		{"", "/", ""},
		{"'", `\`, ""},
		{"", "function f(){", ""},
		{"", "class A{static{", ""},
		{"", "for(;;)", ""},
		{"", "do ", ""},
		{"", "with(a)", ""},
		{"", "try{", ""},
		{"", "switch(a){case ", ""},
		{"", "((a=", "1"},
		{"", "({a=", "1"},
	} {
		text := c[0] + strings.Repeat(c[1], 200_000/len(c[1])) + c[2]
		start := time.Now()
		parseFile([]byte(text))
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%q took %v", c[1], took)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, script := range []string{
		"require('http')", "import fs, { a as b } from 'fs'; export * from 'x'", "const { a: { b }, c = 1 } = require('fs'); b(c)", "try { import('x').catch(1) } catch (e) {}",
		"class A extends (await import('fs')).B { static #x = `${1}`; get [a]() { return /x/v } }", "fs = require('fs'); if (fs.x?.[y]) label: for (;;) break label",
		"((a, { b = require('fs').x }, ...c) => { with (a) fetch``; })()", "async function* f() { yield* await 1 ?? 2 }", "var a; { a = require('fs'); var a } a.b",
	} {
		f.Add(script)
	}
	path := filepath.Join(f.TempDir(), "balancer.js")
	f.Fuzz(func(t *testing.T, script string) {
		write(t, path, script)
		defer time.AfterFunc(10*time.Second, func() { panic(fmt.Sprintf("it does not end: %q", script)) }).Stop()
		needs, err := Scan(path, small)
		if err != nil {
			t.Fatal(err)
		}
		lines := 1 + strings.Count(script, "\n")
		for _, n := range needs {
			if n.Line < 1 || n.Line > lines || n.File != "balancer.js" {
				t.Errorf("%v is no place in the script", n)
			}
		}
	})
}
