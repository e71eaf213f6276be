package embedded

import "testing"

func TestEvents(t *testing.T) {
	expressions(t, nil, `const EventEmitter = require('events');`, [][2]string{
		{`(() => { const e = new EventEmitter(), l = []; e.on('x', (a) => l.push(a)); e.once('x', (a) => l.push('once' + a)); e.prependListener('x', () => l.push('first')); e.emit('x', 1); e.emit('x', 2); return l; })()`, `["first",1,"once1","first",2]`},
		{`(() => { const e = new EventEmitter(), f = () => {}; e.on('x', f).once('x', f); e.off('x', f); return [e.listenerCount('x'), e.eventNames(), e.emit('y')]; })()`, `[1,["x"],false]`},
		{`(() => { function A() { EventEmitter.call(this); } require('util').inherits(A, EventEmitter); return new A().on('x', () => {}).emit('x'); })()`, `true`},
		{`new EventEmitter().emit('error', new Error('nobody'))`, `"throws nobody"`},
		{`new EventEmitter().on('x', 'no function')`, `"throws The \"listener\" argument must be of type function"`},
	})
}

// Emitters do what Node's do while they emit, and with many listeners.
func TestEventLists(t *testing.T) {
	expressions(t, nil, `
		const EventEmitter = require('events');
		const log = (run) => { const l = [], e = new EventEmitter(); run(e, l); return l; };
		const many = (n) => { const e = new EventEmitter(), f = () => {}; for (let i = 0; i < n; i++) e.once('x', () => {}); e.on('x', f).emit('x'); return e.off('x', f).listenerCount('x'); };`, [][2]string{
		{`log((e, l) => { e.on('x', () => { l.push(1); e.on('x', () => l.push(2)); }); e.emit('x'); e.emit('x'); })`, `[1,1,2]`},
		{`log((e, l) => { const f = () => l.push('f'); e.on('x', () => e.off('x', f)).on('x', f); e.emit('x'); e.emit('x'); })`, `["f"]`},
		{`log((e, l) => { e.once('x', () => { l.push(1); e.emit('x'); }).on('x', () => l.push(2)); e.emit('x'); })`, `[1,2,2]`},
		{`log((e, l) => { e.on('x', () => { e.removeAllListeners('x'); throw 1; }).on('x', () => l.push(2)); try { e.emit('x'); } catch (no) { l.push(e.emit('x')); } })`, `[false]`},
		{`log((e, l) => { const s = Symbol(); e.on(s, () => {}).on(1, () => l.push('one')).emit('1'); l.push(e.eventNames().map((n) => typeof n)); })`, `["one",["symbol","string"]]`},
		{`log((e, l) => { const f = () => {}; e.on('x', f).once('x', f).on('x', () => {}); l.push(e.listenerCount('x'), e.listeners('x')[1] === f); })`, `[3,true]`},
		{`log((e, l) => { l.push(e.setMaxListeners(1) === e, Object.keys(e)); })`, `[true,[]]`},
		{`log((e, l) => { e.on('x', () => e.emit('y')).once('y', () => l.push('y')).on('y', () => l.push('z')); e.on('y', () => 0); e.emit('x'); e.emit('y'); })`, `["y","z","z"]`},
		{`log((e, l) => { try { e.emit('error', { a: 1 }); } catch (x) { l.push(x.message, x.code); } })`, `["Unhandled error. ({ a: 1 })","ERR_UNHANDLED_ERROR"]`},
		{`[many(1000), Object.assign({}, EventEmitter.prototype).on('x', () => {}).emit('x')]`, `[0,true]`},
	})
}
