package embedded

import (
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// What throws blocks the client for whom it was done, at once, and nobody else.
func TestThrows(t *testing.T) {
	for fault, want := range map[string]string{
		`throw new Error('sync');`: "FILE:5:19: sync",
		`throw 'text';`:            "text",
		`throw null;`:              "null",
		`undefined.x;`:             "FILE:5:13: TypeError: cannot read property 'x' of undefined",
		`nobody();`:                "FILE:5:4: ReferenceError: nobody is not defined",
		`setTimeout(() => { throw new Error('timer'); }, 1);`:                     "FILE:5:38: timer",
		`setImmediate(() => { throw new Error('immediate'); });`:                  "FILE:5:40: immediate",
		`setInterval(() => { throw new Error('interval'); }, 1);`:                 "FILE:5:39: interval",
		`process.nextTick(() => { throw new Error('tick'); });`:                   "FILE:5:44: tick",
		`queueMicrotask(() => { throw new Error('micro'); });`:                    "FILE:5:42: micro",
		`Promise.reject(new Error('rejected'));`:                                  "FILE:5:28: rejected",
		`Promise.reject('text');`:                                                 "text",
		`(async () => { await null; throw new RangeError('async'); })();`:         "FILE:5:51: RangeError: async",
		`setTimeout(async () => { await null; throw new Error('deep'); }, 1);`:    "FILE:5:56: deep",
		`require('fs').readFile('/nowhere', () => { throw new Error('read'); });`: "FILE:5:62: read",
		`require('fs').promises.readFile('/nowhere').then(next);`:                 "ENOENT: no such file or directory, open '/nowhere'",
		`new (require('events'))().emit('error', new Error('event'));`:            "FILE:5:53: event",
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
	b := load(t, decide.Options{}, `module.exports.run = (balancer) => {
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
	const long = "the script computed for 400ms without a pause"
	for fault, want := range map[string]string{
		`(function f() { try { f(); } finally { f(); } })();`: long,
		`for (;;) {}`: long,
		`for (;;) { try { for (;;) {} } catch (e) {} finally { continue; } }`:   long,
		`setTimeout(() => { for (;;) {} }, 1);`:                                 long,
		`(async () => { await null; for (;;) {} })();`:                          long,
		`(function again() { Promise.resolve().then(again); })();`:              long,
		`(function again() { process.nextTick(again); })();`:                    long,
		`let a = 'x'.repeat(28) + '!'; /^(\w+\s?)*(?=$)\1$/.test(a) || next();`: long,
	} {
		t.Run(fault, func(t *testing.T) {
			b := guilty(t, decide.Options{RunLimit: shortRun}, fault)
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

// Recursion without an end is an error like any other.
func TestRecursion(t *testing.T) {
	for _, fault := range []string{
		`(function f() { f(); })();`,
		`(function f() { [1].forEach(f); })();`,
		`(function f() { JSON.stringify({ toJSON: f }); })();`,
		`(function f() { new Proxy({}, { get: f }).x; })();`,
		`(async function f() { await f(); })();`,
		`const o = { toString() { return '' + this; } }; '' + o;`,
		`class A { constructor() { new A(); } } new A();`,
	} {
		t.Run(fault, func(t *testing.T) {
			b := guilty(t, decide.Options{}, fault)
			if got := b.Ask("192.0.2.66"); !strings.HasSuffix(got, "too much recursion") {
				t.Errorf("got %q", got)
			}
			b.Want("192.0.2.1", "")
		})
	}
}

// Work that is nobody's may take longer, but not for ever, and nobody is blocked for it.
func TestNobodysLoop(t *testing.T) {
	b := load(t, decide.Options{RunLimit: shortRun}, `
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

// What a turn has left to be run ends with it.
func TestNothingRunsAfterAStop(t *testing.T) {
	for _, fault := range []string{
		`process.nextTick(() => { for (;;); }); process.nextTick(() => { for (;;); });`,
		`balancer.on('error', () => { for (;;); }); Promise.reject(1); Promise.reject(2);`,
	} {
		b := load(t, decide.Options{RunLimit: shortRun}, `
			module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
				if (socket.remoteAddress !== '::ffff:192.0.2.66') return next();
				`+fault+`
			});`)
		for range 6 {
			b.Ask("192.0.2.66")
		}
		b.Want("192.0.2.1", "")
		if strings.Contains(b.Log.String(), "hangs in built-in functions") {
			t.Errorf("%s: what was stopped did not end", fault)
		}
	}
}

// A fault belongs to the client whose asynchronous middleware it is in, also when what that waited for was begun for
// another client, and comes to an end in between.
func TestSharedPromise(t *testing.T) {
	for fault, want := range map[string]string{
		"for (;;) {}":              "the script computed for 400ms without a pause",
		"throw new Error('fault')": "fault",
	} {
		t.Run(fault, func(t *testing.T) {
			b := load(t, decide.Options{RunLimit: shortRun}, `
				let shared, asked = 0;
				const after = async () => {
					if (++asked === 1) shared = new Promise((resolve) => setTimeout(resolve, 100));
					await shared;
				};
				const check = async (address) => {
					await after();
					if (address === '::ffff:192.0.2.66') { `+fault+` }
				};
				module.exports.run = (balancer) => balancer.addMiddleware('connection', async (socket, next) => {
					if (socket.remoteAddress === '::ffff:192.0.2.1') console.log('begun');
					await check(socket.remoteAddress);
					next();
				});`)
			first := make(chan string)
			go func() { first <- b.Ask("192.0.2.1") }()
			b.Log.Await(t, "begun")
			if got := b.Ask("192.0.2.66"); !strings.HasSuffix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if got := <-first; got != "" {
				t.Errorf("the other client got %q", got)
			}
		})
	}
}
