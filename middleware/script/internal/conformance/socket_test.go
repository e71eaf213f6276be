package conformance

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/scripttest"
)

// What a socket tells of itself is what one of Node's does that nothing was read from.
func TestSocketProperties(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		// What depends on the version of Node.js is looked at in the embedded runtime only.
		r.open(t, `
		const told = ['readyState', 'bufferSize', 'bytesRead', 'bytesWritten', 'readable', 'readableLength', 'readableFlowing', 'writable',
			'writableLength', 'writableEnded', `+r.in("'writableHighWaterMark', ", "")+`'remoteFamily', 'localFamily', 'connecting', 'pending', 'destroyed',
			'closed', 'errored', 'allowHalfOpen', 'timeout'].map((name) => socket[name]);
		told.push(socket.isPaused(), socket.pause().isPaused(), socket.resume().isPaused(), JSON.stringify(socket.address())`+r.in(", Object.keys(socket).join()", "")+`);
		next(told.map(String).join(' '));`).Want("192.0.2.1",
			"open 0 0 0 true 0 null true 0 false "+r.in("16384 ", "")+"IPv6 IPv6 false false false false null false undefined false true false "+
				`{"address":"::ffff:127.0.0.1","family":"IPv6","port":80}`+r.in(" remoteAddress", ""))
	})
}

// Nothing is read before the decision, and who waits for it is told so.
func TestSocketIsNotRead(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		const why = ": middlewares decide before any byte is read"
		for middleware, want := range map[string]string{
			`socket.on('data', () => {}); next();`:                  "socket.on('data')" + why,
			`socket.once('data', () => {}); next();`:                "socket.on('data')" + why,
			`socket.addListener('readable', () => {}); next();`:     "socket.on('readable')" + why,
			`socket.prependOnceListener('data', () => {}); next();`: "socket.on('data')" + why,
			`socket.pipe({}); next();`:                              "socket.pipe" + why,
			`next(String(socket.read()));`:                          "null",
		} {
			t.Run(middleware, func(t *testing.T) {
				t.Parallel()
				if got := r.open(t, middleware).Ask("192.0.2.1"); !strings.HasSuffix(got, want) {
					t.Errorf("got %q, want %q at the end", got, want)
				}
			})
		}
	})
}

// A socket's timeout comes while the client waits.
func TestSocketTimeout(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		for middleware, want := range map[string]string{
			`socket.setTimeout(1, () => next('silent'));`:                                                                             "silent",
			`socket.on('timeout', () => next('silent ' + socket.timeout)); socket.setTimeout(1);`:                                     "silent 1",
			`socket.setTimeout(1, () => socket.destroy());`:                                                                           "the script called socket.destroy()",
			`socket.setTimeout(1, () => socket.end());`:                                                                               "the script called socket.end()",
			`socket.setTimeout(1, () => next('silent')); socket.setTimeout(0); setTimeout(next, 20);`:                                 "",
			`socket.setTimeout(1, () => next('silent')); socket.setTimeout(1e9); setTimeout(next, 20);`:                               "",
			`socket.setTimeout(1e9, () => next('silent')); socket.setTimeout(1);`:                                                     "silent",
			`socket.setTimeout(1e12, () => next('silent')); setTimeout(next, 20);`:                                                    "",
			`let n = 0; socket.setTimeout(1, () => n++); setTimeout(() => next('after ' + n), 30);`:                                   "after 1",
			`const f = () => {}; socket.setTimeout(9, f); socket.setTimeout(0, f); next('left: ' + socket.listenerCount('timeout'));`: "left: 0",
			`next(String(socket.setTimeout(5) === socket));`:                                                                          "true",
			`try { socket.setTimeout('1'); } catch (e) { next(e.name + ' ' + e.code + ' ' + e.message); }`: "TypeError ERR_INVALID_ARG_TYPE " +
				`The "msecs" argument must be of type number`,
			`try { socket.setTimeout(); } catch (e) { next(e.message); }`: `The "msecs" argument must be of type number`,
			`try { socket.setTimeout(-1); } catch (e) { next(e.name + ' ' + e.code + ' ' + e.message); }`: "RangeError ERR_OUT_OF_RANGE " +
				`The value of "msecs" is out of range. It must be a non-negative finite number`,
			`try { socket.setTimeout(9, 'x'); } catch (e) { next(e.name + ' ' + e.code + ' ' + e.message); }`: "TypeError ERR_INVALID_ARG_TYPE " +
				`The "callback" argument must be of type function`,
		} {
			t.Run(middleware, func(t *testing.T) {
				t.Parallel()
				r.open(t, middleware).Want("192.0.2.1", want)
			})
		}
	})
}

// It ends with the decision, and with the client's leaving. Nothing is left of it then.
func TestSocketTimeoutEnds(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.open(t, `
		socket.setTimeout(10, () => console.log('late'));
		switch (socket.remoteAddress.split('.')[3]) {
			case '1': next(); break;
			case '2': next('no'); break;
			case '3': socket.destroy(); break;
			case '4': setTimeout(() => { throw new Error('fault'); }); break;
			case '5': next(); socket.setTimeout(1); break;
			case '6': setTimeout(() => { next(); socket.setTimeout(1); }); break;
			case '7': console.log('asked'); break;
			case '8': setTimeout(next, 50); socket.setTimeout(0); break;
		}`)
		for client, want := range map[string]string{
			"1": "", "2": "no", "3": "the script called socket.destroy()", "4": "FILE:8:" + r.in("48", "39") + ": fault", "5": "", "6": "",
		} {
			b.Want("192.0.2."+client, want)
		}
		ctx, leave := context.WithCancel(context.Background())
		answer := make(chan error)
		go func() { answer <- b.Decide(ctx, scripttest.Client("192.0.2.7")) }()
		b.Log.Await(t, "asked")
		leave()
		<-answer
		b.Want("192.0.2.8", "") // who waits for longer than the timeouts of the others
		if strings.Contains(b.Log.String(), "late") {
			t.Error("a timeout came after the decision")
		}
	})
}

// The events of a socket's end come in Node's order, with Node's arguments.
func TestSocketEvents(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		for middleware, want := range map[string]string{
			`socket.destroy();`:                                           "close(false)",
			`socket.destroy(new Error('mine'));`:                          "error(mine) close(true)",
			`socket.destroy(new Error('one')).destroy(new Error('two'));`: "error(one) close(true)",
			`socket.resetAndDestroy();`:                                   "close(false)",
			`socket.destroySoon();`:                                       "finish() close(false)",
			`socket.end();`:                                               "finish() end() close(false)",
			`socket.end(done);`:                                           "done(null) finish() end() close(false)",
			`socket.end('bye', done);`:                                    "done(null) finish() end() close(false)",
			`socket.end('6279', 'hex', done);`:                            "done(null) finish() end() close(false)",
			`socket.end(done).end(done);`:                                 "done(null) done(null) finish() end() close(false)",
			`socket.end(done).destroy();`:                                 "done(ERR_STREAM_DESTROYED) close(false)",
			`socket.destroy().end(done);`:                                 "close(false)",
			`next('no');`:                                                 "finish() end() close(false)",
			`console.log('asked');`:                                       "end() finish() close(false)",
			`socket.setTimeout(1, () => socket.destroy());`:               "timeout() close(false)",
		} {
			t.Run(middleware, func(t *testing.T) {
				t.Parallel()
				b := r.open(t, `
				const seen = [];
				const note = (name) => (...args) => seen.push(name + '(' + args.map((a) => a && (a.code || a.message) || a) + ')');
				const done = (error) => note('done')(error `+r.in("===", "==")+` null ? 'null' : error);
				for (const name of ['timeout', 'error', 'end', 'finish', 'close']) socket.on(name, note(name));
				socket.on('close', () => setTimeout(() => console.log('seen', seen.join(' '), socket.readyState + '.')));`+middleware)
				ctx, leave := context.WithCancel(context.Background())
				defer leave()
				answer := make(chan error, 1)
				go func() { answer <- b.Decide(ctx, scripttest.Client("192.0.2.1")) }()
				if strings.Contains(middleware, "asked") {
					b.Log.Await(t, "asked")
					leave()
				}
				if err := <-answer; err == nil {
					t.Error("the client was let in")
				}
				b.Log.Await(t, "seen "+want+" closed.")
			})
		}
	})
}

// What happens at once is what a script sees at once.
func TestSocketStates(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.open(t, `
		const state = () => ['destroyed', 'readyState', 'writableEnded', 'writableFinished', 'closed'].map((name) => socket[name]).join(' ');
		if (socket.remoteAddress.endsWith('.1')) socket.end(); else socket.destroy(new Error('mine'));
		console.log('now', state(), socket.errored && socket.errored.message);
		socket.on('close', () => console.log('then', state()));`)
		b.Want("192.0.2.1", "the script called socket.end()")
		b.Log.Await(t, "now false readOnly true false false null")
		b.Log.Await(t, "then true closed true true true")
		b.Want("192.0.2.2", "the script called socket.destroy(): mine")
		b.Log.Await(t, "now true closed false false false mine")
		b.Log.Await(t, "then true closed false false true")
	})
}

// An error that a socket is destroyed with is one of the balancer, and a block without a reason is no notice.
func TestSocketDestroyNotices(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `module.exports.run = (balancer) => {
		balancer.on('notice', (reason) => console.log('notice', reason));
		balancer.on('error', (error) => console.log('failed', error.message));
		balancer.addMiddleware('connection', (socket, next) => {
			socket.on('close', () => console.log('gone', socket.remoteAddress));
			if (socket.remoteAddress.endsWith('.1')) socket.destroy();
			if (socket.remoteAddress.endsWith('.2')) socket.end();
			if (socket.remoteAddress.endsWith('.3')) socket.destroy(new Error('mine'));
			next('a reason');
		});
	};`)
		b.Want("192.0.2.1", "the script called socket.destroy()")
		b.Want("192.0.2.2", "the script called socket.end()")
		b.Want("192.0.2.3", "the script called socket.destroy(): mine")
		b.Log.Await(t, "failed mine")
		b.Log.Await(t, "gone ::ffff:192.0.2.3")
		b.Want("192.0.2.4", "a reason")
		b.Log.Await(t, "notice a reason")
		if log := b.Log.String(); strings.Count(log, "notice") != 1 {
			t.Errorf("one notice is wanted:\n%s", log)
		}
	})
}

// A client that was let in can be kicked, whether its socket is listened to or not. It is over at once then, and its end
// comes once.
func TestSocketKick(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		for middleware, want := range map[string]string{
			`setTimeout(() => { socket.destroy(); socket.destroy(); console.log('did', socket.destroyed); }, 1);`:                  "did true",
			`socket.on('close', (e) => console.log('closed', e)); setTimeout(() => socket.destroy(), 1);`:                          "closed false",
			`socket.on('error', (e) => console.log('failed', e.message)); setTimeout(() => socket.destroy(new Error('mine')), 1);`: "failed mine",
			`socket.on('close', (e) => console.log('closed', e)); setTimeout(() => socket.end('bye'), 1);`:                         "closed false",
			`setTimeout(() => socket.end(() => console.log('finished')), 1);`:                                                      "finished",
		} {
			t.Run(middleware, func(t *testing.T) {
				t.Parallel()
				b := r.open(t, middleware+` next();`)
				c := scripttest.Client("192.0.2.1")
				kicked, over := make(chan struct{}, 9), func() {}
				stopped := false
				c.OnEnd = func(f func()) func() {
					over = f
					return func() { stopped = true }
				}
				c.Kick = func() { kicked <- struct{}{}; over() }
				if err := b.Decide(context.Background(), c); err != nil {
					t.Fatal(err)
				}
				<-kicked
				b.Log.Await(t, want)
				b.Want("192.0.2.2", "") // what was to come has come
				b.Close()
				if n := strings.Count(b.Log.String(), want); n != 1 || len(kicked) > 0 {
					t.Errorf("%q is logged %d times, and there are %d more kicks", want, n, len(kicked))
				}
				// Node.js may be asked for the end of a client to whose socket nothing listens.
				if listened := strings.Contains(middleware, "socket.on"); stopped != listened && (listened || r.name == "embedded") {
					t.Errorf("its end is waited for: %v", !stopped)
				}
			})
		}
	})
}

// A socket that is listened to only after the decision emits its end as well.
func TestSocketListensLate(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.open(t, `setTimeout(() => {
		next(socket.remoteAddress.endsWith('.1') && 'no');
		socket.on('close', () => console.log('gone', socket.remoteAddress));
	}, 1);`)
		b.Want("192.0.2.1", "no")
		b.Log.Await(t, "gone ::ffff:192.0.2.1")
		c := scripttest.Client("192.0.2.2")
		c.OnEnd = func(f func()) func() {
			f()
			return func() {}
		}
		if err := b.Decide(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		b.Log.Await(t, "gone ::ffff:192.0.2.2")
	})
}

// A client that leaves while it is let in is gone for a script that listens to its socket only later, too.
func TestLeavesMeanwhile(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.open(t, `
		console.log('asked');
		while (!require('fs').existsSync(__dirname + '/left'));
		next();
		setTimeout(() => socket.on('close', () => console.log('gone')), 1);`)
		c := scripttest.Client("192.0.2.1")
		c.OnEnd = func(func()) func() { return func() {} }
		ctx, leave := context.WithCancel(t.Context())
		answer := make(chan error)
		go func() { answer <- b.Decide(ctx, c) }()
		b.Log.Await(t, "asked")
		leave()
		if err := <-answer; err == nil {
			t.Error("it was let in")
		}
		scripttest.Write(t, filepath.Join(filepath.Dir(b.Path), "left"), "")
		b.Log.Await(t, "gone")
	})
}

// Clients that were let in are forgotten as soon as the script has no sockets of them, so that it does not keep their connections in memory.
func TestForgets(t *testing.T) {
	perRuntime(t, func(t *testing.T, r *runtime) {
		b := r.load(t, decide.Options{}, `
		const list = Array.from({ length: 1e5 }, (_, i) => ({ i })); // with which engines look for garbage rarely
		let first;
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			if (socket.remoteAddress === '::ffff:192.0.2.66') {
				first.destroy();
			}
			first ??= socket;
			next();
		});`)
		kicked := make(chan int, 10)
		decideAs := func(host string, n int) {
			c := scripttest.Client(host)
			c.Kick = func() { kicked <- n }
			c.OnEnd = func(func()) func() { return func() {} }
			if err := b.Decide(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		const leastGuests = 8192 // in decide/js/balancer.js
		for n := range 3 * leastGuests {
			decideAs("192.0.2.1", n)
		}
		for end := time.Now().Add(scripttest.Patience); b.Guests() >= 2*leastGuests; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d clients are remembered", b.Guests())
			}
		}
		decideAs("192.0.2.66", -1)
		if n := <-kicked; n != 0 {
			t.Errorf("client %d was kicked", n)
		}
	})
}
