package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/scripttest"
)

// What next is given decides, and its first call.
func TestAnswers(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		for middleware, want := range map[string]string{
			`next();`:                    "",
			`next(undefined);`:           "",
			`next(null);`:                "",
			`next(false);`:               "",
			`next('');`:                  "",
			`next(0);`:                   "",
			`next(NaN);`:                 "",
			`next('no');`:                "no",
			`next(true);`:                "true",
			`next(7);`:                   "7",
			`next({});`:                  "[object Object]",
			`next([1, 2]);`:              "1,2",
			`next(Symbol('why'));`:       "Symbol(why)",
			`next(new Error('no'));`:     "no",
			`next(new TypeError('no'));`: "no",
			`class E extends Error {} next(new E('no'));`:     "no",
			`next({ toString() { throw 1; } });`:              "a reason that is no text",
			`next('é'.repeat(3000));`:                         strings.Repeat("é", 1000) + "…",
			`next(); next('no');`:                             "",
			`next('no'); next();`:                             "no",
			`next('no'); next('other');`:                      "no",
			`next('no'); throw new Error('later');`:           "no",
			`setTimeout(next, 1);`:                            "",
			`setTimeout(next, 1, 'late');`:                    "late",
			`setTimeout(() => { next(); next('x'); }, 1);`:    "",
			`setImmediate(next, 'soon');`:                     "soon",
			`process.nextTick(next, 'tick');`:                 "tick",
			`queueMicrotask(() => next('micro'));`:            "micro",
			`Promise.resolve().then(() => next('then'));`:     "then",
			`(async () => { await null; next('async'); })();`: "async",
			`let n = 0; const i = setInterval(() => { if (++n === 3) { clearInterval(i); next('three'); } }, 1);`: "three",
		} {
			t.Run(middleware, func(t *testing.T) {
				t.Parallel()
				r.open(t, middleware).Want("192.0.2.1", want)
			})
		}
	})
}

// An error whose name is no text keeps out the client for whom it was thrown, as any other one does.
func TestNameIsNoText(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.open(t, `throw Object.assign(new Error('no'), { name: Symbol('why') });`)
		if got := b.Ask("192.0.2.1"); !strings.HasSuffix(got, "Symbol(why): no") {
			t.Errorf("got %q", got)
		}
	})
}

// Several middlewares are asked in the order in which they were added, until one blocks; what they set on the
// socket stays.
func TestChain(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `
		const asked = [];
		module.exports.run = function (balancer) {
			const add = (f) => balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, f);
			add((socket, next) => { socket.seen = ['first']; next(); });
			add((socket, next) => setTimeout(() => { socket.seen.push('second'); next(); }, 1));
			add((socket, next) => { socket.seen.push('third'); socket.remotePort === 4711 ? next() : next('port'); });
			add(async (socket, next) => {
				await null;
				next(socket.remoteAddress.endsWith('.1') ? socket.seen.concat('fourth').join(' ') : null);
			});
			add((socket, next) => { asked.push(socket.remoteAddress); next(asked.join(' ')); });
		};`)
		b.Want("192.0.2.1", "first second third fourth")
		b.Want("192.0.2.2", "::ffff:192.0.2.2")
		b.Want("192.0.2.3", "::ffff:192.0.2.2 ::ffff:192.0.2.3")
	})
}

func TestAddMiddleware(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `
		module.exports.run = function (balancer) {
			const errors = [];
			for (const args of [['other', () => {}], [undefined, () => {}], ['connection', 'x'], ['connection']]) {
				try { balancer.addMiddleware(...args); } catch (e) { errors.push(e instanceof TypeError, e.message); }
			}
			balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, (socket, next) => next(errors.join('|')));
		};`)
		b.Want("192.0.2.1", "true|balancer.addMiddleware: there is no middleware type \"other\""+
			"|true|balancer.addMiddleware: there is no middleware type \"undefined\""+
			"|true|balancer.addMiddleware: the middleware is not a function|true|balancer.addMiddleware: the middleware is not a function")
	})
}

// A script without middlewares lets everybody in, and one that adds them later asks them from then on.
func TestLaterMiddleware(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `module.exports.run = function (balancer) {
		balancer.addMiddleware('connection', (socket, next) => {
			balancer.addMiddleware('connection', (socket, next) => next('the second'));
			setTimeout(next, 1);
		});
	};`)
		b.Want("192.0.2.1", "the second")
		r.load(t, decide.Options{}, `exports.run = () => {};`).Want("192.0.2.1", "")
	})
}

// Waits of different clients go on side by side, and what one learns the others know.
func TestConcurrentWaits(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `
		const all = [];
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			all.push(next);
			if (all.length === 100) all.forEach((n, i) => n('as number ' + (all.length - i)));
		});`)
		seen := make(map[string]bool)
		for _, reason := range b.Together(100) {
			seen[reason] = true
		}
		if len(seen) != 100 || !seen["as number 1"] || !seen["as number 100"] {
			t.Errorf("got %v", seen)
		}
	})
}

// A run function may do its work later, and nobody is let in before it is done.
func TestAsyncRun(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `module.exports.run = async function (balancer) {
		await new Promise((done) => setTimeout(done, 10));
		balancer.addMiddleware('connection', (socket, next) => next('added'));
	};`)
		b.Want("192.0.2.1", "added")
	})
}

// The context given to Decide ends a wait.
func TestNoAnswer(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `module.exports.run = (balancer) => {
		balancer.addMiddleware('connection', (socket, next) => { socket.remoteAddress.endsWith('.9') && next(); });
	};`)
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errors.New("the client left"))
		if err := b.Decide(ctx, scripttest.Client("192.0.2.1")); err == nil || err.Error() != "no decision of the script: the client left" {
			t.Errorf("got %v", err)
		}
		b.Want("192.0.2.9", "")
	})
}

func TestClose(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.open(t, `console.log('asked'); setInterval(() => {}, 1);`)
		answer := make(chan string)
		go func() { answer <- b.Ask("192.0.2.1") }()
		b.Log.Await(t, "asked")
		b.Close()
		if got := <-answer; got != "script stopped" {
			t.Errorf("got %q", got)
		}
		b.Want("192.0.2.1", "script stopped")
		b.Close()
	})
}

// The socket is what Node would give on a listener for IPv4 and IPv6.
func TestSocket(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.open(t, `next([socket.remoteAddress, socket.remotePort, socket.remoteFamily, socket.localAddress, socket.localPort,
		socket instanceof require('net').Socket, socket instanceof require('events')].join(' '));`)
		for host, address := range map[string]string{
			"192.0.2.1":               "::ffff:192.0.2.1",
			"::ffff:192.0.2.1":        "::ffff:192.0.2.1",
			"2001:DB8:0:0:0:0:0:1":    "2001:db8::1",
			"fe80::fc:ff:fe00:1%eth0": "fe80::fc:ff:fe00:1%eth0",
			"::1":                     "::1",
		} {
			b.Want(host, address+" 4711 IPv6 ::ffff:127.0.0.1 80 true true")
		}
	})
}

// What a script may do to a socket before the decision.
func TestSocketMethods(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		for middleware, want := range map[string]string{
			`next(JSON.stringify(socket.eventNames()));`:                                                          "[]",
			`socket.on('x', next); socket.removeAllListeners(); setImmediate(() => next(socket.emit('x') + ''));`: "false",
			`socket.destroy(); next();`:                                                                           "the script called socket.destroy()",
			`socket.end(); next();`:                                                                               "the script called socket.end()",
			`socket.end('bye'); next('x');`:                                                                       "the script called socket.end()",
			`socket.write('hello'); next();`:                                                                      "FILE:2:" + r.in("13", "8") + ": socket.write: middlewares decide before any byte is sent",
			`socket.setNoDelay(true).setKeepAlive(true).pause().resume(); setTimeout(next, 1);`:                   "",
			`next(socket.destroyed + ' ' + JSON.stringify(socket.address()));`:                                    `false {"address":"::ffff:127.0.0.1","family":"IPv6","port":80}`,
			`socket.on('error', (e) => next(e.message)); socket.emit('error', new Error('mine'));`:                "mine",
			`socket.once('x', next); socket.removeListener('x', next); next(socket.emit('x', 'heard') + '');`:     "false",
		} {
			t.Run(middleware, func(t *testing.T) {
				t.Parallel()
				r.open(t, middleware).Want("192.0.2.1", want)
			})
		}
	})
}

// A socket emits 'close' when a client leaves before the decision, when it is blocked, and when it leaves long
// after it was let in.
func TestSocketClose(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.open(t, `
		socket.on('close', () => console.log('gone ' + socket.remoteAddress));
		if (socket.remoteAddress.endsWith('.2')) next('no');
		if (socket.remoteAddress.endsWith('.3')) next();
		if (socket.remoteAddress.endsWith('.1')) console.log('asked');`)
		ctx, leave := context.WithCancel(context.Background())
		answer := make(chan error)
		go func() { answer <- b.Decide(ctx, scripttest.Client("192.0.2.1")) }()
		b.Log.Await(t, "asked")
		leave()
		if err := <-answer; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		b.Log.Await(t, "gone ::ffff:192.0.2.1")
		b.Want("192.0.2.2", "no")
		b.Log.Await(t, "gone ::ffff:192.0.2.2")

		c := scripttest.Client("192.0.2.3")
		gone, end := context.WithCancel(context.Background())
		c.OnEnd = func(f func()) func() {
			stop := context.AfterFunc(gone, f)
			return func() { stop() }
		}
		if err := b.Decide(context.Background(), c); err != nil {
			t.Error(err)
		}
		b.Want("192.0.2.2", "no")
		if strings.Contains(b.Log.String(), "gone ::ffff:192.0.2.3") {
			t.Error("an open connection was said to be gone")
		}
		end()
		b.Log.Await(t, "gone ::ffff:192.0.2.3")
	})
}

// A client that was let in is not the script's any more, if nothing can end its connection.
func TestSocketAfterwards(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `let last; module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
		try { if (last) last.destroy(); next(); } catch (e) { next(e.message); }
		last = socket;
	});`)
		b.Want("192.0.2.1", "")
		b.Want("192.0.2.1", "socket.destroy: the connection was let in already and is not the script's any more")
	})
}

// The balancer tells its listeners of blocks and failures.
func TestNotice(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `module.exports.run = (balancer) => {
		balancer.on('notice', (reason) => console.log('notice', typeof reason, String(reason)));
		balancer.on('error', (error) => { console.log('error', error.message); throw new Error('in the listener'); });
		balancer.addMiddleware('connection', (socket, next) => {
			if (socket.remoteAddress.endsWith('.1')) next('no');
			if (socket.remoteAddress.endsWith('.2')) next(new Error('no way'));
			undefined.x;
		});
	};`)
		b.Want("192.0.2.1", "no")
		b.Want("192.0.2.2", "no way")
		message := r.in("cannot read property 'x' of undefined", "Cannot read properties of undefined (reading 'x')")
		b.Want("192.0.2.3", "FILE:7:"+r.in("13", "14")+": TypeError: "+message)
		for _, want := range []string{"notice string no", "notice object Error: no way", "error " + message, "in the listener"} {
			b.Log.Await(t, want)
		}
	})
}

// What a script asks about targets is passed on, or refused where there is nobody to ask.
func TestTargets(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		script := `module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
		const said = [];
		for (const f of [() => balancer.isTargetActive('::1', 1), () => balancer.isTargetActive('a', '1'), () => balancer.deactivateTarget('a', 1),
			() => balancer.setTargets([{ host: 'b', port: 2 }]), () => balancer.isTargetActive('a', 99999), () => balancer.close()]) {
			try { said.push(f()); } catch (e) { said.push(e.message); }
		}
		next(said.join('|'));
	});`
		const (
			none  = ": not available here: a middleware decides who may come in, not where to|"
			fixed = "balancer.setTargets: not available here: the targets are those of the config; change them there and reload it|"
			never = "balancer.close: not available here: a script cannot stop the balancer"
		)
		r.load(t, decide.Options{}, script).Want("192.0.2.1", "balancer.isTargetActive"+none+"balancer.isTargetActive"+none+"balancer.deactivateTarget"+none+
			fixed+"balancer.isTargetActive"+none+never)
		r.load(t, decide.Options{Targets: scripttest.Targets("[::1]:1")}, script).Want("192.0.2.1",
			"true|false|balancer.deactivateTarget: not a:1 now|"+fixed+"balancer: a:99999 is no target|"+never)
	})
}
