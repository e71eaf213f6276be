package script

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded"
)

// journal keeps what is logged.
type journal struct{ strings.Builder }

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

func writeScript(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "balancer.js")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// saying is a script that keeps each client out with a word.
func saying(word string) string {
	return "module.exports.run = (b) => b.addMiddleware('connection', (socket, next) => next(" + word + "));"
}

// TestRuntimes has scripts run where the option says, or where they can, and tells which runtime was taken and why.
func TestRuntimes(t *testing.T) {
	const inNode = "process.versions.v8 && 'in Node.js'"
	for name, test := range map[string]struct{ runtime, script, want, logged string }{
		"auto, which is embedded":   {runtimeAuto, saying("typeof Intl"), "undefined", "the script runs in the embedded runtime"},
		"auto, which is Node.js":    {runtimeAuto, "require('http');" + saying(inNode), "in Node.js", `require(\"http\"): not in the embedded runtime`},
		"auto, an ES module":        {runtimeAuto, "import fs from 'fs'; export function run(b) { b.addMiddleware('connection', (s, next) => next(" + inNode + ")); }", "in Node.js", "balancer.js:1: import, "},
		"auto, an error at loading": {runtimeAuto, "if (!process.versions.v8) throw new Error('old');" + saying(inNode), "in Node.js", "balancer.js:1:"},
		"embedded":                  {runtimeEmbedded, saying("typeof Intl"), "undefined", ""},
		"node":                      {runtimeNode, saying(inNode), "in Node.js", ""},
	} {
		t.Run(name, func(t *testing.T) {
			log := new(journal)
			s, err := load(t.Context(), test.runtime, writeScript(t, test.script), "", decide.Options{Logger: log.logger()})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Decide(t.Context(), decide.Client{Remote: netip.MustParseAddrPort("192.0.2.1:1")})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if !strings.Contains(log.String(), test.logged) {
				t.Errorf("%q is not in\n%s", test.logged, log)
			}
		})
	}
}

// A script that runs nowhere is refused with both reasons.
func TestRuntimesRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		runtime, script, nodePath string
		want                      []string
	}{
		"embedded":            {runtimeEmbedded, "require('http');", "", []string{`balancer.js:1: require("http"): not in the embedded runtime, needs runtime node`}},
		"node":                {runtimeNode, "throw new Error('no');", "", []string{"path: ", "balancer.js:1:7: no"}},
		"node is not there":   {runtimeNode, saying("1"), "/nowhere/node", []string{"runtime: node_path: "}},
		"auto without Node":   {runtimeAuto, "require('http');", "/nowhere/node", []string{`require("http")`, "(runtime embedded)", "node_path: "}},
		"auto, wrong in both": {runtimeAuto, "oops(", "", []string{"SyntaxError", "(runtime embedded); ", "(runtime node)"}},
		"no function run":     {runtimeAuto, "1", "", []string{"module.exports.run is not a function"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := load(t.Context(), test.runtime, writeScript(t, test.script), test.nodePath, decide.Options{Logger: slog.New(slog.DiscardHandler)})
			if err == nil {
				s.Close()
				t.Fatal("it was loaded")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

// What the embedded runtime lacks is refused by its name before the script runs, wherever it stands in it.
func TestRefusedByName(t *testing.T) {
	for script, want := range map[string]string{
		`require('net').createServer()`:                     "net.createServer",
		`require('net').connect(80)`:                        "net.connect",
		`require('fs').writeFileSync('x', '')`:              "fs.writeFileSync",
		`require('fs').promises.appendFile('x', '')`:        "fs.promises.appendFile",
		`const { lstatSync } = require('fs'); lstatSync(x)`: "fs.lstatSync",
		`require('fs').readlinkSync(x)`:                     "fs.readlinkSync",
		`require('fs').createReadStream(x)`:                 "fs.createReadStream",
		`require('dns').resolve(x, 'MX', f)`:                "dns.resolve",
		`require('dns').resolveMx(x, f)`:                    "dns.resolveMx",
		`new (require('dns').Resolver)()`:                   "dns.Resolver",
		`require('crypto').createCipheriv(x)`:               "crypto.createCipheriv",
		`require('crypto').hash('md5', x)`:                  "crypto.hash",
		`require('os').cpus()`:                              "os.cpus",
		`require('os').networkInterfaces()`:                 "os.networkInterfaces",
		`require('util').isDeepStrictEqual(x, y)`:           "util.isDeepStrictEqual",
		`require('util').isArray(x)`:                        "util.isArray",
		`require('util').types.isProxy(x)`:                  "util.types",
		`require('util/types').isBoxedPrimitive(x)`:         `require("util/types")`,
		`require('os').loadavg()`:                           "os.loadavg",
		`process.memoryUsage().rss`:                         "process.memoryUsage",
		`require('url').format(x)`:                          "url.format",
		`require('url').resolve(x, y)`:                      "url.resolve",
		`require('url').domainToASCII(x)`:                   "url.domainToASCII",
		`e.on(require('events').errorMonitor, f)`:           "events.errorMonitor",
		`const { once } = require('events'); once(e, 'x')`:  "events.once",
		`require('crypto').timingSafeEqual(x, y)`:           "crypto.timingSafeEqual",
		`require('timers/promises').setInterval(1)`:         "timers.promises.setInterval",
		`require('timers/promises').scheduler.wait(1)`:      "timers.promises.scheduler",
		`process.kill(1)`:                                   "process.kill",
		`process.umask()`:                                   "process.umask",
		`console.table(x)`:                                  "console.table",
		`Buffer.from(x).swap16()`:                           "swap16()",
		`d.toLocaleString('en', { timeZone: 'UTC' })`:       "toLocaleString(): options",
		`a.localeCompare(b, 'en', { numeric: true })`:       "localeCompare(): options",
		`b.readUIntLE(0, 6)`:                                "readUIntLE()",
		`new TextEncoder().encode(x)`:                       "TextEncoder",
		`new (require('util').TextDecoder)()`:               "util.TextDecoder",
		`require('util').callbackify(x)`:                    "util.callbackify",
		`btoa(x)`:                                           "btoa",
		`performance.mark(x)`:                               "performance.mark",
		`module.children.map(x)`:                            "module.children",
		`require.resolve.paths(x)`:                          "require.resolve.paths",
		`Object.keys(require.extensions)`:                   "require.extensions",
	} {
		_, err := load(t.Context(), runtimeEmbedded, writeScript(t, "exports.run = () => { "+script+" };"), "", decide.Options{})
		if want = "balancer.js:1: " + want + ": not in the embedded runtime, needs runtime node"; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s\ngot %v\nwant %s", script, err, want)
		}
	}
}

// The documentation lists what there is to be required, and no more.
func TestDocumentedModules(t *testing.T) {
	text, err := os.ReadFile("../../docs/script.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## What a script may require")
	builtins := embedded.Builtins()
	emitter := strings.Fields(`addListener emit eventNames getMaxListeners listenerCount listeners off on once prependListener prependOnceListener
		rawListeners removeAllListeners removeListener setMaxListeners`)
	builtins["process"] = slices.DeleteFunc(slices.Clone(builtins["process"]), func(name string) bool { return slices.Contains(emitter, name) })
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z/]+)` \\| (.*) \\|$").FindAllStringSubmatch(section, -1) {
		there, known := builtins[row[1]]
		if documented[row[1]] = known; !known || row[1] == "path/posix" {
			continue
		}
		var listed []string
		for _, name := range regexp.MustCompile("`(\\w+)`").FindAllStringSubmatch(row[2], -1) {
			listed = append(listed, name[1])
		}
		slices.Sort(listed)
		if there = slices.Sorted(slices.Values(there)); !slices.Equal(listed, there) {
			t.Errorf("%s\nhas  %v\ndocs %v", row[1], there, listed)
		}
	}
	for name := range builtins {
		if !documented[name] && !strings.HasPrefix(name, "globalThis/") {
			t.Errorf("%s is not documented", name)
		}
	}
}

// The globals and methods that are said to be missing are.
func TestMissingGlobals(t *testing.T) {
	script := saying(`[...'` + strings.Join(embedded.MissingGlobals, " ") + `'.split(' ').filter((name) => name in globalThis),
		...'` + strings.Join(embedded.MissingMethods, " ") + `'.split(' ').filter((name) => name in Buffer || name in Buffer.alloc(1))]
		.join() || 'none'`)
	s, err := load(t.Context(), runtimeEmbedded, writeScript(t, script), "", decide.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Decide(context.Background(), decide.Client{}); err == nil || err.Error() != "none" {
		t.Errorf("%v are there", err)
	}
}
