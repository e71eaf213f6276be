package script

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// guilty wraps what happens to one client only: the others wait a moment and are let in, and number their calls.
func guilty(t testing.TB, o Options, fault string) *box {
	t.Helper()
	return load(t, o, `
		const list = ['x'];
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			if (socket.remoteAddress !== '::ffff:192.0.2.66') return void setTimeout(next, 20);
			`+fault+`
		});`)
}

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
			b := guilty(t, Options{}, fault)
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
	b := load(t, Options{}, `module.exports.run = (balancer) => {
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
	const long, much, deep = "the script computed for 200ms without a pause", "the script took ", "too much recursion"
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
			o := Options{RunLimit: 200 * time.Millisecond, MemoryLimit: 1 << 30}
			if want != long { // what takes memory is slow under the race detector
				o = Options{RunLimit: 40 * time.Second, MemoryLimit: 32 << 20, Timeout: time.Minute}
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
		`new Array(1e6).fill('x'.repeat(1e4)).join();`:                  "RangeError: ",
		`Array.prototype.indexOf.call({ length: 2 ** 53 - 1 }, 1);`:     "RangeError: ",
		`Array.from({ length: 2 ** 53 - 1 });`:                          "RangeError: ",
		`new ArrayBuffer(1e11);`:                                        "RangeError: 100000000000 bytes",
		`new Uint8Array(1e11);`:                                         "RangeError: 100000000000 bytes",
		`new Float64Array(1e9);`:                                        "RangeError: 8000000000 bytes",
		`'x'.repeat(1e8).split('');`:                                    "RangeError: 1600000000 bytes",
		`Array.from('x'.repeat(1e8));`:                                  "RangeError: 1600000000 bytes",
		`Buffer.alloc(4e9);`:                                            "RangeError: 4000000000 bytes",
		`require('crypto').randomBytes(1e11);`:                          `RangeError: The value of "size" is out of range`,
		`Math.max.apply(null, { length: 1e10 });`:                       "RangeError: 160000000000 bytes",
		`Reflect.apply(Math.max, null, { length: 1e10 });`:              "RangeError: 160000000000 bytes",
		`Reflect.construct(Array, { length: 1e10 });`:                   "RangeError: 160000000000 bytes",
		`Object.keys(Buffer.alloc(2 ** 26));`:                           "RangeError: 1073741824 bytes",
		`BigInt.asUintN(2 ** 40, -1n);`:                                 "RangeError: 137438953472 bytes",
		`String.raw({ raw: { length: 1e10 } });`:                        "RangeError: 160000000000 bytes",
		`[].concat(...Array(100).fill(Array(1e6).fill(1)));`:            "RangeError: 1600000000 bytes",
		`Array(100).fill(Array(1e6).fill(1)).flat();`:                   "RangeError: 1600000000 bytes",
		`Array(1e4).fill(['x'.repeat(1e5)]).join();`:                    "RangeError: 10000000",
		`JSON.stringify(Array(1e4).fill('x'.repeat(1e5)));`:             "RangeError: 10000000",
		`JSON.stringify({ a: 1 }, Object.assign([], { length: 4e9 }));`: "RangeError: 64000000000 bytes",
		"'x'.repeat(1e6).replace(/x/g, '$`');":                          "RangeError: 1000002000000 bytes",
		`'a'.repeat(250000).replace(/a/g, 'b'.repeat(250000));`:         "RangeError: 62500000000 bytes",
		`eval('('.repeat(2e6));`:                                        "RangeError: 2000000 bytes of code are more than 1048576",
		`new Function('return ' + '['.repeat(1e6));`:                    "RangeError: the code is nested more than 10000 deep",
		`eval('/\\p{L}/u');`:                                            `SyntaxError: code that is made at run time can't have \p`,
		`(async () => {}).constructor('['.repeat(1e6));`:                "RangeError: the code is nested more than 10000 deep",
		`require('fs').readFileSync('/dev/zero');`:                      "EFBIG: file too large, open '/dev/zero'",
	} {
		t.Run(fault, func(t *testing.T) {
			b := guilty(t, Options{RunLimit: 10 * time.Second}, "list.push('y'); "+fault)
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
	b := guilty(t, Options{}, `next([
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
		`const all = []; for (;;) all.push(new ArrayBuffer(2 ** 27));`,
		`const all = []; for (;;) all.push(Buffer.alloc(2 ** 20, 1));`,
	} {
		b := guilty(t, Options{RunLimit: 10 * time.Second}, fault)
		got := b.ask("192.0.2.66")
		if !strings.Contains(got, "at once are more than four times the script's memory limit") && !strings.Contains(got, "of memory without a pause") {
			t.Errorf("%s: got %q", fault, got)
		}
		b.want("192.0.2.1", "")
	}
}

// A built-in function that does not return is left behind, and the script runs in a new engine meanwhile.
func TestLeftBehind(t *testing.T) {
	b := guilty(t, Options{RunLimit: 50 * time.Millisecond}, `
		const text = 'x'.repeat(32) + '!';
		/^(x+x+)+(?=y)\1/.test(text) ? next('matched') : next();`)
	b.want("192.0.2.66", "the script computed for 50ms without a pause")
	for i := range 5 {
		b.want(fmt.Sprintf("192.0.2.%d", i), "")
	}
}

// State is new after a restart, and the script is the one that was loaded, whatever became of its file.
func TestRestartIsTheSame(t *testing.T) {
	b := load(t, Options{RunLimit: 100 * time.Millisecond}, `
		let calls = 0;
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			while (socket.remoteAddress === '::ffff:192.0.2.66');
			next('call ' + ++calls);
		});`)
	b.want("192.0.2.1", "call 1")
	b.want("192.0.2.1", "call 2")
	write(t, b.path, "not JavaScript")
	b.want("192.0.2.66", "the script computed for 100ms without a pause")
	b.want("192.0.2.1", "call 1")
	b.want("192.0.2.66", "the script computed for 100ms without a pause")
	b.want("192.0.2.1", "call 1")
}

// Work that is nobody's may take longer, but not for ever, and nobody is blocked for it.
func TestNobodysLoop(t *testing.T) {
	b := load(t, Options{RunLimit: 100 * time.Millisecond}, `
		const fs = require('fs');
		module.exports.run = (balancer) => {
			balancer.addMiddleware('connection', (socket, next) => setTimeout(next, 50));
			const first = !fs.existsSync(__dirname + '/again');
			setTimeout(() => { console.log('looping'); const end = Date.now() + (first ? 1e9 : 200); while (Date.now() < end); }, 10);
		};`)
	b.log.await(t, "looping")
	write(t, strings.TrimSuffix(b.path, "balancer.js")+"again", "")
	b.want("192.0.2.1", "")
	b.log.await(t, "the script computed for 500ms without a pause")
}

// When it cannot be started anew, everybody is blocked until it can.
func TestRestartFails(t *testing.T) {
	b := load(t, Options{RunLimit: 50 * time.Millisecond}, `
		const fs = require('fs');
		if (fs.existsSync(__dirname + '/broken')) throw new Error('broken');
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			while (socket.remoteAddress === '::ffff:192.0.2.66');
			next();
		});`)
	write(t, strings.TrimSuffix(b.path, "balancer.js")+"broken", "")
	b.want("192.0.2.66", "the script computed for 50ms without a pause")
	b.want("192.0.2.1", "the script is down: FILE:3:51: broken")
	b.log.await(t, "all clients are blocked")
}

// Nobody is decided about before the script has what it has begun to read, neither at first nor when it starts anew.
func TestPreparedFirst(t *testing.T) {
	for name, script := range map[string]string{
		"a list": `
			let blocked = new Set();
			read((list) => blocked = new Set(list));
			module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
				while (socket.remoteAddress === '::ffff:192.0.2.66');
				next(blocked.has(socket.remoteAddress) && 'on the list');
			});`,
		"the middleware": `
			module.exports.run = async (balancer) => read((list) => balancer.addMiddleware('connection', (socket, next) => {
				while (socket.remoteAddress === '::ffff:192.0.2.66');
				next(list.includes(socket.remoteAddress) && 'on the list');
			}));`,
	} {
		t.Run(name, func(t *testing.T) {
			b, err := tryLoad(t, Options{RunLimit: 100 * time.Millisecond}, map[string]string{"list.json": `["::ffff:192.0.2.7"]`, "balancer.js": `
				const fs = require('fs');
				const read = (use) => fs.stat(__dirname, () => fs.readFile(__dirname + '/list.json', (error, text) => use(JSON.parse(text))));` + script})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				b.want("192.0.2.7", "on the list")
				stopped := make(chan string)
				go func() { stopped <- b.ask("192.0.2.66") }()
				b.log.await(t, "starts anew")
				b.log.clear()
				b.want("192.0.2.7", "on the list")
				if got, want := <-stopped, "the script computed for 100ms without a pause"; got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
}

// What never comes holds a script up for a while only.
func TestPreparedAtLast(t *testing.T) {
	address, _ := silentService(t)
	began := time.Now()
	b := load(t, Options{}, `
		require('http').get('http://`+address+`/').on('error', () => {});
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => next());`)
	if took := time.Since(began); took < prepareLimit {
		t.Errorf("loaded after %v", took)
	}
	b.want("192.0.2.1", "")
}

// What a stretch has left to be run ends with it.
func TestNothingRunsAfterAStop(t *testing.T) {
	for _, fault := range []string{
		`process.nextTick(() => { for (;;); }); process.nextTick(() => { for (;;); });`,
		`balancer.on('error', () => { for (;;); }); Promise.reject(1); Promise.reject(2);`,
	} {
		b := load(t, Options{RunLimit: 50 * time.Millisecond}, `
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
	b := guilty(t, Options{}, `
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
