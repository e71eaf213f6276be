package embedded

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// What throws blocks the client for whom it was done, at once, and nobody else.
func TestThrows(t *testing.T) {
	for fault, want := range map[string]string{
		`throw new Error('sync');`: "FILE:5:10: sync",
		`throw 'text';`:            "FILE:5:4: text",
		`throw null;`:              "FILE:5:4: null",
		`undefined.x;`:             "FILE:5:14: TypeError: Cannot read property 'x' of undefined",
		`nobody();`:                "FILE:5:10: ReferenceError: nobody is not defined",
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
			go func() { others <- b.together(20) }()
			b.want("192.0.2.66", want)
			if reasons := strings.Join(<-others, ""); reasons != "" {
				t.Errorf("others: %s", reasons)
			}
			b.log.await(t, "the script failed")
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
	b.log.await(t, "first")
	b.log.await(t, "second")
	b.want("192.0.2.1", "")
	if strings.Contains(b.log.String(), "handled") {
		t.Errorf("logged\n%s", b.log)
	}
}

// What does not end, or takes all memory, blocks the client for whom it was done. The script starts anew, and
// those who waited are asked about again.
func TestStopped(t *testing.T) {
	const long, much, deep = "the script computed for 400ms without a pause", "the script took ", "too much recursion"
	for fault, want := range map[string]string{
		`(function f() { f(); })();`:                              deep,
		`(function f() { [1].forEach(f); })();`:                   deep,
		`(function f() { try { f(); } finally { f(); } })();`:     deep,
		`(function f() { JSON.stringify({ toJSON: f }); })();`:    deep,
		`(function f() { new Proxy({}, { get: f }).x; })();`:      deep,
		`(async function f() { await f(); })();`:                  deep,
		`const o = { toString() { return '' + this; } }; '' + o;`: deep,
		`class A { constructor() { new A(); } } new A();`:         deep,
		`for (;;) {}`: long,
		`for (;;) { try { for (;;) {} } catch (e) {} finally { continue; } }`:   long,
		`setTimeout(() => { for (;;) {} }, 1);`:                                 long,
		`(async () => { await null; for (;;) {} })();`:                          long,
		`(function again() { Promise.resolve().then(again); })();`:              long,
		`(function again() { process.nextTick(again); })();`:                    long,
		`let a = 'x'.repeat(28) + '!'; /^(\w+\s?)*(?=$)\1$/.test(a) || next();`: long,
		`const all = []; for (;;) all.push(new Array(1000).fill(0));`:           much,
		`const all = []; for (;;) all.push({ list });`:                          much,
		`let s = 'xy'; for (;;) s += s;`:                                        much,
		`const all = {}; for (let i = 0;; i++) all['key' + i] = i;`:             much,
	} {
		t.Run(fault, func(t *testing.T) {
			o := decide.Options{RunLimit: shortRun, MemoryLimit: 1 << 30}
			if want != long { // what takes memory is slow under the race detector
				o = decide.Options{MemoryLimit: 32 << 20}
			}
			b := guilty(t, o, fault)
			others := make(chan []string)
			go func() { others <- b.together(20) }()
			if got := b.ask("192.0.2.66"); !strings.Contains(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if reasons := strings.Join(<-others, ""); reasons != "" {
				t.Errorf("others: %s", reasons)
			}
			b.log.await(t, "the script was stopped and starts anew")
			b.want("192.0.2.1", "")
		})
	}
}

// A built-in function that does not return is left behind, and the script runs in a new engine meanwhile.
func TestLeftBehind(t *testing.T) {
	b := guilty(t, decide.Options{RunLimit: shortRun}, `
		const text = 'x'.repeat(32) + '!';
		/^(x+x+)+(?=y)\1/.test(text) ? next('matched') : next();`)
	b.want("192.0.2.66", "the script computed for 400ms without a pause")
	for i := range 5 {
		b.want(fmt.Sprintf("192.0.2.%d", i), "")
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
	b.log.await(t, "looping")
	write(t, strings.TrimSuffix(b.path, "balancer.js")+"again", "")
	b.want("192.0.2.1", "")
	b.log.await(t, "the script computed for 2s without a pause")
}

// What a stretch has left to be run ends with it.
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
		for range maxStuck + 2 {
			b.ask("192.0.2.66")
		}
		b.want("192.0.2.1", "")
		if strings.Contains(b.log.String(), "hangs in built-in functions") {
			t.Errorf("%s: what was stopped did not end", fault)
		}
	}
}

// Services that don't answer keep nobody from reading files.
func TestFilesBesideNetwork(t *testing.T) {
	address, asked := silentService(t)
	b := guilty(t, decide.Options{}, `
		for (let i = 0; i < 100; i++) require('http').get('http://`+address+`/').on('error', () => {});
		require('fs').readFile(__filename, (error, text) => next(error || text.length > 0 && 'read'));`)
	if got := b.ask("192.0.2.66"); got != "read" {
		t.Fatalf("got %q", got)
	}
	for range 100 {
		<-asked
	}
}

// silentService accepts connections, tells of each, and says nothing.
func silentService(t *testing.T) (address string, asked <-chan struct{}) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	accepted := make(chan struct{}, 1000)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			accepted <- struct{}{}
		}
	}()
	return listener.Addr().String(), accepted
}
