package embedded

import (
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// What can be refused before it happens is an error of that client's, and the script goes on.
func TestRefused(t *testing.T) {
	for fault, want := range map[string]string{
		`const g = function* () { yield* g(); }; [...g()];`:             "RangeError: too much recursion",
		`let a = []; for (let i = 0; i < 1e5; i++) a = [a]; String(a);`: "RangeError: too much recursion",
		`JSON.parse('['.repeat(1e6));`:                                  "RangeError: JSON text is nested more than 10000 deep",
		`'x'.repeat(2 ** 30);`:                                          "RangeError: 1073741824 bytes are more than the script's memory limit of 268435456",
		`'x'.padStart(2 ** 30);`:                                        "RangeError: 1073741824 bytes",
		`new Array(4e9).fill(0);`:                                       "RangeError: 64000000000 bytes",
		`new Array(4e9).join('x');`:                                     "RangeError: 64000000000 bytes",
		`new Array(1e5).fill('x'.repeat(1e4)).join();`:                  "RangeError: ",
		`Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);`:     "RangeError: ",
		`Array.from({ length: 2 ** 53 - 1 });`:                          "RangeError: ",
		`new ArrayBuffer(1e11);`:                                        "RangeError: 100000000000 bytes",
		`new Uint8Array(1e11);`:                                         "RangeError: 100000000000 bytes",
		`new Float64Array(1e9);`:                                        "RangeError: 8000000000 bytes",
		`'x'.repeat(2e7).split('');`:                                    "RangeError: 320000000 bytes",
		`Array.from('x'.repeat(2e7));`:                                  "RangeError: 320000000 bytes",
		`Buffer.alloc(4e9);`:                                            "RangeError: 4000000000 bytes",
		`require('crypto').randomBytes(1e11);`:                          `RangeError: The value of "size" is out of range`,
		`Math.max.apply(null, { length: 1e10 });`:                       "RangeError: 160000000000 bytes",
		`Reflect.apply(Math.max, null, { length: 1e10 });`:              "RangeError: 160000000000 bytes",
		`Reflect.construct(Array, { length: 1e10 });`:                   "RangeError: 160000000000 bytes",
		`Object.keys(Buffer.alloc(2 ** 26));`:                           "RangeError: 1073741824 bytes",
		`BigInt.asUintN(2 ** 40, -1n);`:                                 "RangeError: 137438953472 bytes",
		`String.raw({ raw: { length: 1e10 } });`:                        "RangeError: 160000000000 bytes",
		`[].concat(...Array(100).fill(Array(2e5).fill(1)));`:            "RangeError: 320000000 bytes",
		`Array(100).fill(Array(2e5).fill(1)).flat();`:                   "RangeError: 320000000 bytes",
		`Array(1e4).fill(['x'.repeat(1e5)]).join();`:                    "RangeError: 10000000",
		`JSON.stringify(Array(1e4).fill('x'.repeat(1e5)));`:             "RangeError: 10000000",
		`JSON.stringify({ a: 1 }, Object.assign([], { length: 4e9 }));`: "RangeError: 64000000000 bytes",
		"'x'.repeat(1e5).replace(/x/g, '$`');":                          "RangeError: 10000200000 bytes",
		`'a'.repeat(50000).replace(/a/g, 'b'.repeat(50000));`:           "RangeError: 2500000000 bytes",
		`eval('('.repeat(2e6));`:                                        "RangeError: 2000000 bytes of code are more than 1048576",
		`new Function('return ' + '['.repeat(1e6));`:                    "RangeError: the code is nested more than 10000 deep",
		`eval('/\\p{L}/u');`:                                            `SyntaxError: code that is made at run time can't have \p`,
		`(async () => {}).constructor('['.repeat(1e6));`:                "RangeError: the code is nested more than 10000 deep",
		`require('fs').readFileSync('/dev/zero');`:                      "EFBIG: file too large, open '/dev/zero'",
	} {
		t.Run(fault, func(t *testing.T) {
			b := guilty(t, decide.Options{}, "list.push('y'); "+fault)
			if got := b.ask("192.0.2.66"); !strings.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			b.want("192.0.2.1", "")
			if strings.Contains(b.log.String(), "starts anew") {
				t.Error("the script was started anew")
			}
		})
	}
}

// What is bounded works as ever within the bounds.
func TestNotRefused(t *testing.T) {
	b := guilty(t, decide.Options{}, `next([
		'a-b-c'.replace(/-/g, '$&$&'), 'x'.repeat(1e5).replace(/y/g, 'z'.repeat(1e5)).length, 'aXbX'.replaceAll('X', () => '!'),
		Math.max.apply(null, [1, 3, 2]), Reflect.apply(Math.min, null, [4, 5]), [1].concat([2, [3]], 4).length, [1, [2, [3]]].flat().length,
		[1, ['a', 'b']].join('+'), JSON.stringify([{ length: 1e12 }, ['x']], { length: 1e12 }, 0), Object.keys({ length: 1e12 }).join(), String.raw`+"`\n${1}`"+`,
		eval('1 + 1'), new Function('a', 'b', 'return a * b')(6, 7), Function('return this')() === globalThis, (() => {}).constructor === Function,
		Function instanceof Function, (async () => {}) instanceof Function, class A extends Function {} && 1, BigInt.asIntN(8, 255n), Array.from('ab').length,
	].join());`)
	b.want("192.0.2.66", `a--b--c,100000,a!b!,3,4,4,3,1+a,b,[{"length":1000000000000},["x"]],length,`+"\n1,2,42,true,true,true,true,1,-1,2")
}

// Big allocations without an end are refused, unless the watchdog has seen them first.
func TestBigAllocations(t *testing.T) {
	for _, fault := range []string{
		`const all = []; for (;;) all.push(new ArrayBuffer(2 ** 24));`,
		`const all = []; for (;;) all.push(Buffer.alloc(2 ** 20, 1));`,
	} {
		b := guilty(t, decide.Options{MemoryLimit: 32 << 20}, fault)
		got := b.ask("192.0.2.66")
		if !strings.Contains(got, "at once are more than four times the script's memory limit") && !strings.Contains(got, "of memory without a pause") {
			t.Errorf("%s: got %q", fault, got)
		}
		b.want("192.0.2.1", "")
	}
}
