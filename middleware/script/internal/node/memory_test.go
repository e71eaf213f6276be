//go:build unix

package node

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	const limit = 128 << 20
	for name, fault := range map[string]string{
		"strings":          `let s = 'xy'; const all = []; for (;;) { s += s; if (s.length > 2 ** 22) { all.push(Buffer.from(s).toString()); s = 'xy' + all.length; } }`,
		"templates":        "let s = 'x'; const all = []; for (let i = 0;; i++) { all.push(JSON.stringify(`${i}${s.repeat(1000)}${i}`)); }",
		"arrays":           `const all = []; for (;;) all.push(new Array(1000).fill(1.5));`,
		"spread":           `let a = [1, 2, 3]; for (;;) a = [...a, ...a];`,
		"typed":            `const all = []; for (;;) all.push(new Uint8Array(2 ** 20).fill(1));`,
		"buffers":          `const all = []; for (;;) all.push(Buffer.alloc(2 ** 24, 1));`,
		"regexp":           `const all = []; for (let i = 0;; i++) all.push(('x' + i).repeat(1e5).match(/./g));`,
		"json":             `let o = { a: 'x' }; for (;;) o = { a: JSON.parse(JSON.stringify(o)), b: JSON.parse(JSON.stringify(o)) };`,
		"bigint":           `const all = []; let n = 2n ** 1000000n; for (;;) all.push(n = n + 1n);`,
		"objects":          `const all = {}; for (let i = 0;; i++) all['key' + i] = { i };`,
		"map":              `const all = new Map(); for (let i = 0;; i++) all.set(i, [i]);`,
		"closures":         `let f = () => 1; for (;;) { const g = f; f = () => g; }`,
		"wasm":             `const m = new WebAssembly.Memory({ initial: 1 }); for (;;) { m.grow(256); new Uint8Array(m.buffer).fill(1); }`,
		"structured":       `let o = [1.5]; for (;;) o = structuredClone([o, o.slice()]);`,
		"little by little": `globalThis.all = []; setInterval(() => all.push(Buffer.alloc(2 ** 20, 1)), 0);`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := guilty(t, decide.Options{MemoryLimit: limit, RunLimit: 20 * time.Second}, "console.log('pid ' + process.pid + '.'); "+fault)
			b.Want("192.0.2.1", "")
			answer := make(chan string)
			go func() { answer <- b.Ask("192.0.2.66") }()
			most, base := 0, 0
			pid := loggedPID(t, b.Log)
			for got, ended := "", false; !ended; {
				select {
				case got = <-answer:
					ended = true
					if !strings.Contains(got, "more than 128 MiB of memory") && !strings.Contains(got, "RangeError") && !strings.Contains(got, "signal") {
						t.Errorf("got %q", got)
					}
					t.Log(got)
				case <-time.After(time.Millisecond):
					if size := rss(pid); size > 0 {
						if base == 0 {
							base = size
						}
						most = max(most, size)
					}
				}
			}
			if t.Logf("from %d to %d MiB", base>>20, most>>20); most-base > limit*3/2 {
				t.Errorf("it had %d MiB more than at first", (most-base)>>20)
			}
			b.Want("192.0.2.1", "")
		})
	}
}

func rss(pid int) int {
	statm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	fields := strings.Fields(string(statm))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1])
	return pages * os.Getpagesize()
}
