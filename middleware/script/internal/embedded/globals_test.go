package embedded

import "testing"

// Error has of V8 what packages ask it for.
func TestStacks(t *testing.T) {
	expressions(t, nil, `
		class Own extends Error { constructor(m) { super(m); Error.captureStackTrace(this, Own); this.name = 'Own'; } }
		function Old(m) { Error.captureStackTrace(this, Old); this.message = m; this.name = 'Old'; }
		require('util').inherits(Old, Error);
		const head = (e) => e.stack.split('\n')[0];`, [][2]string{
		{`[head(new Own('a')), head(new Old('b')), Object.keys(new Old('b')), new Own('a').stack.includes('at new Own')]`, `["Own: a","Old: b",["message","name"],false]`},
		{`[typeof new Error().stack, new Error() instanceof Error]`, `["string",true]`},
	})
}

// What old scripts use of the language's annex B is there.
func TestLegacy(t *testing.T) {
	expressions(t, nil, ``, [][2]string{
		{`(() => { const o = {}; o.__defineGetter__('x', () => 5); o.__defineSetter__('y', function (v) { this.z = v; }); o.y = 3; return [o.x, o.z, Object.keys(o)]; })()`, `[5,3,["x","y","z"]]`},
		{`(() => { const o = { get x() { return 1; } }, p = Object.create(o); return [p.__lookupGetter__('x')(), typeof p.__lookupSetter__('x'), typeof p.__lookupGetter__('q')]; })()`, `[1,"undefined","undefined"]`},
		{`[new Date(2024, 1, 1).getYear(), new Date(0).toGMTString()]`, `[124,"Thu, 01 Jan 1970 00:00:00 GMT"]`},
		{`[99, 2020].map((year) => { const d = new Date(2024, 1, 9); d.setYear(year); return [d.getFullYear(), d.getMonth(), d.getDate()]; })`, `[[1999,1,9],[2020,1,9]]`},
		{`(() => { for (const key in {}) return key; return 'none'; })()`, `"none"`},
	})
}

// What is asked to be written or compared in a certain way is not written or compared in another one.
func TestNoIntl(t *testing.T) {
	expressions(t, nil, ``, [][2]string{
		{`['a'.localeCompare('b') < 0, 'a'.localeCompare('a', 'en'), (5).toLocaleString('en'), new Date(0).toLocaleDateString()]`, `[true,0,"5","01/01/1970"]`},
		{`'a'.localeCompare('A', undefined, { sensitivity: 'base' })`, `"throws localeCompare: options: needs runtime node"`},
		{`(5).toLocaleString('en', {})`, `"throws toLocaleString: options: needs runtime node"`},
		{`new Date().toLocaleTimeString('en', { timeZone: 'Asia/Tokyo' })`, `"throws toLocaleTimeString: options: needs runtime node"`},
	})
}

// What reads a stack finds the message first, also if a constructor names the error, and no line of this package.
func TestStackHeads(t *testing.T) {
	expressions(t, nil, `
		class Named extends TypeError { constructor(m) { super(m); this.name = 'Named'; } }
		const head = (e) => e.stack.split('\n')[0];`, [][2]string{
		{`[head(new Named('a')), head(Error('b')), head(new AggregateError([], 'c')), head(Object.assign(new Error('d'), { stack: 'own' }))]`, `["Named: a","Error: b","AggregateError: c","own"]`},
		{`[new Named('a') instanceof TypeError, new Named('a').constructor === Named, new Error('').constructor === Error, Error.name, TypeError.length, Object.keys(new Error('x'))]`, `[true,true,true,"Error",1,[]]`},
		{`/globals|native/.test(new Named('a').stack) || /globals/.test((() => { const o = {}; Error.captureStackTrace(o); return o.stack; })())`, `false`},
	})
}
