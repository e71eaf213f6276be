package embedded

import (
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// Whatever a script does for a client is over soon, takes no more memory than it may, and harms no other client.
func TestBounds(t *testing.T) {
	const long = "the script computed for 400ms without a pause"
	for fault, want := range map[string]string{
		"const all = []; for (;;) all.push(new Array(1000).fill(0));":               "",
		"let s = 'x'; for (;;) s += s + 'y'.repeat(1000);":                          "",
		"let s = 'x'; for (;;) s = `${s}${s}`;":                                     "",
		"let a = [1]; for (;;) a = [...a, ...a];":                                   "",
		"const all = []; for (;;) all.push(new Uint8Array(2 ** 20));":               "",
		"const all = []; for (;;) all.push(Buffer.alloc(2 ** 20, 1));":              "",
		"const all = {}; for (let i = 0;; i++) all['key' + i] = i;":                 "",
		"let b = 3n; for (;;) b *= b;":                                              "",
		"JSON.parse('['.repeat(1e6));":                                              "",
		"let a = ['x']; for (let i = 0; i < 40; i++) a = [a, a]; a.join()":          "",
		"let a = ['x']; for (let i = 0; i < 40; i++) a = [a, a]; JSON.stringify(a)": "",
		"Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);":                 long,
		"let a = []; a.length = 4294967295; a.indexOf(1);":                          long,
		"let a = 'a'.repeat(1e7); a.indexOf('a'.repeat(4e6) + 'b');":                long,
		"/^(a+)+$/.test('a'.repeat(50) + 'b');":                                     long,
		"for (;;) setImmediate(() => {});":                                          "",
		"for (;;) require('fs').readFile(__filename, () => {});":                    "",
		"for (;;) { try { for (;;) {} } catch (e) {} finally { continue; } }":       long,
		"(function f() { Promise.resolve().then(f); })();":                          long,
		"new Float64Array(1e12);":                                                   "RangeError: invalid array buffer length",
		"'x'.repeat(2 ** 30);":                                                      "invalid string length",
	} {
		t.Run(fault, func(t *testing.T) {
			b := guilty(t, decide.Options{RunLimit: shortRun, MemoryLimit: 32 << 20}, fault)
			began := time.Now()
			if got := b.Ask("192.0.2.66"); got == "" || !strings.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			t.Log(time.Since(began))
			b.Want("192.0.2.1", "")
		})
	}
}
