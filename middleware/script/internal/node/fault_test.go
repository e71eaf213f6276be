//go:build unix

package node

import (
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// What throws blocks the client for whom it was done, at once, and nobody else.
func TestThrows(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		`throw new Error('sync');`: "FILE:5:10: sync",
		`throw 'text';`:            "text",
		`throw null;`:              "null",
		`undefined.x;`:             "FILE:5:14: TypeError: Cannot read properties of undefined (reading 'x')",
		`nobody();`:                "FILE:5:4: ReferenceError: nobody is not defined",
		`setTimeout(() => { throw new Error('timer'); }, 1);`:                     "FILE:5:29: timer",
		`setImmediate(() => { throw new Error('immediate'); });`:                  "FILE:5:31: immediate",
		`setInterval(() => { throw new Error('interval'); }, 1);`:                 "FILE:5:30: interval",
		`process.nextTick(() => { throw new Error('tick'); });`:                   "FILE:5:35: tick",
		`queueMicrotask(() => { throw new Error('micro'); });`:                    "FILE:5:33: micro",
		`Promise.reject(new Error('rejected'));`:                                  "FILE:5:19: rejected",
		`Promise.reject('text');`:                                                 "text",
		`(async () => { await null; throw new RangeError('async'); })();`:         "FILE:5:37: RangeError: async",
		`setTimeout(async () => { await null; throw new Error('deep'); }, 1);`:    "FILE:5:47: deep",
		`require('fs').readFile('/nowhere', () => { throw new Error('read'); });`: "FILE:5:53: read",
		`require('fs').promises.readFile('/nowhere').then(next);`:                 "ENOENT: no such file or directory, open '/nowhere'",
		`new (require('events'))().emit('error', new Error('event'));`:            "FILE:5:44: event",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			b := guilty(t, decide.Options{}, fault)
			others := make(chan []string)
			go func() { others <- b.Together(20) }()
			b.Want("192.0.2.66", want)
			if reasons := strings.Join(<-others, ""); reasons != "" {
				t.Errorf("others: %s", reasons)
			}
			b.Log.Await(t, "the script failed")
		})
	}
}

// An unhandled rejection of nobody's is logged and harms nobody.
func TestNobodysThrows(t *testing.T) {
	t.Parallel()
	b := run(t, decide.Options{}, `module.exports.run = (balancer) => {
		setTimeout(() => { throw new Error('first'); }, 1);
		Promise.reject(new Error('second'));
		const handled = Promise.reject(new Error('handled'));
		handled.catch(() => {});
		balancer.addMiddleware('connection', (socket, next) => next());
	};`)
	b.Log.Await(t, "first")
	b.Log.Await(t, "second")
	b.Want("192.0.2.1", "")
	if strings.Contains(b.Log.String(), "handled") {
		t.Errorf("logged\n%s", b.Log)
	}
}

// What does not end, or takes all memory, blocks the client for whom it was done. The script starts anew, and
// those who waited are asked about again.
func TestStopped(t *testing.T) {
	const long, much = "the script computed for 400ms without a pause", "more than 32 MiB of memory"
	for fault, want := range map[string]string{
		`(function f() { try { f(); } finally { f(); } })();`: long,
		`for (;;) {}`: long,
		`for (;;) { try { for (;;) {} } catch (e) {} finally { continue; } }`:   long,
		`setTimeout(() => { for (;;) {} }, 1);`:                                 long,
		`(async () => { await null; for (;;) {} })();`:                          long,
		`(function again() { Promise.resolve().then(again); })();`:              long,
		`(function again() { process.nextTick(again); })();`:                    long,
		`let a = 'x'.repeat(28) + '!'; /^(\w+\s?)*(?=$)\1$/.test(a) || next();`: long,
		`const all = []; for (;;) all.push(new Array(1000).fill(0));`:           much,
		`const all = []; for (;;) all.push({ list });`:                          much,
		`const all = {}; for (let i = 0;; i++) all['key' + i] = i;`:             much,
	} {
		t.Run(fault, func(t *testing.T) {
			o := decide.Options{RunLimit: shortRun, MemoryLimit: 1 << 30}
			if want != long { // what takes memory is slow under the race detector
				o = decide.Options{MemoryLimit: 32 << 20}
			}
			b := guilty(t, o, fault)
			others := make(chan []string)
			go func() { others <- b.Together(20) }()
			if got := b.Ask("192.0.2.66"); !strings.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if reasons := strings.Join(<-others, ""); reasons != "" {
				t.Errorf("others: %s", reasons)
			}
			b.Log.Await(t, "the script was stopped and starts anew")
			b.Want("192.0.2.1", "")
		})
	}
}

// Work that is nobody's may take longer, but not for ever, and nobody is blocked for it.
func TestNobodysLoop(t *testing.T) {
	b := run(t, decide.Options{RunLimit: shortRun}, `
		const fs = require('fs');
		module.exports.run = (balancer) => {
			balancer.addMiddleware('connection', (socket, next) => setTimeout(next, 50));
			const first = !fs.existsSync(__dirname + '/again');
			setTimeout(() => { console.log('looping'); const end = Date.now() + (first ? 1e9 : 600); while (Date.now() < end); }, 10);
		};`)
	b.Log.Await(t, "looping")
	write(t, strings.TrimSuffix(b.Path, "balancer.js")+"again", "")
	b.Want("192.0.2.1", "")
	b.Log.Await(t, "the script computed for 2s without a pause")
}

// Recursion without an end, and what is too big for Node.js, is an error like others: the script goes on.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{
		`(function f() { f(); })();`,
		`(function f() { [1].forEach(f); })();`,
		`(function f() { JSON.stringify({ toJSON: f }); })();`,
		`(function f() { new Proxy({}, { get: f }).x; })();`,
		`const o = { toString() { return '' + this; } }; '' + o;`,
		`class A { constructor() { new A(); } } new A();`,
		`let s = 'xy'; for (;;) s += s;`,
		`new Uint8Array(2 ** 40);`,
		`Buffer.alloc(2 ** 40);`,
		`'x'.repeat(2 ** 30);`,
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			b := guilty(t, decide.Options{}, fault)
			if got := b.Ask("192.0.2.66"); !strings.Contains(got, "RangeError: ") {
				t.Errorf("got %q", got)
			}
			b.Want("192.0.2.1", "")
			if strings.Contains(b.Log.String(), "starts anew") {
				t.Error("the script was started anew")
			}
		})
	}
}
