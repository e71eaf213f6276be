package embedded

import "testing"

// Error has of V8 what packages ask it for.
func TestStacks(t *testing.T) {
	expressions(t, nil, `
		const prepared = (make) => {
			const before = Error.prepareStackTrace;
			Error.prepareStackTrace = (error, sites) => sites;
			const { stack } = make();
			Error.prepareStackTrace = before;
			return stack;
		};
		function caller(make) { return prepared(make); }
		class Own extends Error { constructor(m) { super(m); Error.captureStackTrace(this, Own); this.name = 'Own'; } }
		function Old(m) { Error.captureStackTrace(this, Old); this.message = m; this.name = 'Old'; }
		require('util').inherits(Old, Error);
		const head = (e) => e.stack.split('\n')[0];`, [][2]string{
		{`[head(new Own('a')), head(new Old('b')), Object.keys(new Old('b')), new Own('a').stack.includes('at new Own')]`, `["Own: a","Old: b",["message","name"],false]`},
		{`caller(() => new Error()).slice(1, 3).map((site) => [site.getFunctionName(), site.getFileName() === __filename, site.getLineNumber()])`, `[["prepared",true,5],["caller",true,9]]`},
		{`caller(() => { const o = {}; Error.captureStackTrace(o); return o; })[2].getFunctionName()`, `"caller"`},
		{`(() => { Error.stackTraceLimit = 1; const o = {}; Error.captureStackTrace(o); Error.stackTraceLimit = 10; return o.stack.split('\n').length; })()`, `2`},
		{`[typeof new Error().stack, new Error() instanceof Error, Error.prepareStackTrace === undefined]`, `["string",true,true]`},
		{`Error.captureStackTrace(5)`, `"throws invalid_argument"`},
	})
}

// What old scripts use of the language's annex B is there.
func TestLegacy(t *testing.T) {
	expressions(t, nil, ``, [][2]string{
		{`(() => { const o = {}; o.__defineGetter__('x', () => 5); o.__defineSetter__('y', function (v) { this.z = v; }); o.y = 3; return [o.x, o.z, Object.keys(o)]; })()`, `[5,3,["x","y","z"]]`},
		{`(() => { const o = { get x() { return 1; } }, p = Object.create(o); return [p.__lookupGetter__('x')(), typeof p.__lookupSetter__('x'), typeof p.__lookupGetter__('q')]; })()`, `[1,"undefined","undefined"]`},
		{`({}).__defineGetter__('x', 5)`, `"throws Object.prototype.__defineGetter__: Expecting function"`},
		{`[new Date(2024, 1, 1).getYear(), new Date(0).toGMTString()]`, `[124,"Thu, 01 Jan 1970 00:00:00 GMT"]`},
		{`[99, 2020].map((year) => { const d = new Date(2024, 1, 9); d.setYear(year); return [d.getFullYear(), d.getMonth(), d.getDate()]; })`, `[[1999,1,9],[2020,1,9]]`},
		{`(() => { for (const key in {}) return key; return 'none'; })()`, `"none"`},
	})
}

// The globals that Node has from browsers are there as far as scripts use them.
func TestWebGlobals(t *testing.T) {
	expressions(t, nil, `
		class P { constructor() { this.x = 1; } }
		const fault = (f) => { try { return f(); } catch (e) { return [e.name, e.code, e.message]; } };`, [][2]string{
		{`[atob(' aG k='), atob('aGk'), btoa('hi'), btoa('\xff')]`, `["hi","hi","aGk=","/w=="]`},
		{`['a', '*', 'aGk==='].map((text) => fault(() => atob(text))[2])`, `["The string to be decoded is not correctly encoded.","Invalid character","Invalid character"]`},
		{`fault(() => btoa('€'))`, `["InvalidCharacterError",5,"Invalid character"]`},
		{`(() => { const c = new AbortController(), l = []; c.signal.addEventListener('abort', (e) => l.push(e.type, e.target === c.signal)); c.signal.onabort = () => l.push('on'); c.abort(); c.abort(); return [l, c.signal.aborted, c.signal.reason.name]; })()`, `[["abort",true,"on"],true,"AbortError"]`},
		{`fault(() => AbortSignal.abort().throwIfAborted())`, `["AbortError",20,"This operation was aborted"]`},
		{`new Promise((done) => { AbortSignal.timeout(1).addEventListener('abort', (e) => done(e.target.reason.name)); })`, `"TimeoutError"`},
		{`(() => { const c = new AbortController(), s = AbortSignal.any([c.signal]); c.abort(3); return s.reason; })()`, `3`},
		{`require('events').once(new (require('events'))(), 'x', { signal: AbortSignal.abort() }).catch((e) => e.code)`, `"ABORT_ERR"`},
		{`(() => { const t = new EventTarget(), l = [], f = (e) => l.push(e.type); t.addEventListener('x', f); t.addEventListener('y', f, { once: true }); for (const n of ['x', 'y', 'y']) t.dispatchEvent(new Event(n)); return l; })()`, `["x","y"]`},
		{`(() => { const o = { d: new Date(0), m: new Map([[1, { a: new Set([2]) }]]), r: /a/g, n: new Number(5), b: Buffer.from('a') }; o.o = o; const c = structuredClone(o); return [c.o === c, c.d.getTime(), [...c.m.get(1).a], c.r.flags, c.n + 1, c.b[0], c.m !== o.m]; })()`, `[true,0,[2],"g",6,97,true]`},
		{`(() => { const c = structuredClone([new P(), new TypeError('m', { cause: 1 }), , 5n]); return [c[0] instanceof P, c[0], c[1] instanceof TypeError, c[1].message, c[1].cause, 2 in c, typeof c[3]]; })()`, `[false,{"x":1},true,"m",1,false,"bigint"]`},
		{`[() => {}, Symbol('x'), { p: Promise.resolve() }].map((v) => fault(() => structuredClone(v)).slice(0, 2))`, `[["DataCloneError",25],["DataCloneError",25],["DataCloneError",25]]`},
	})
}
