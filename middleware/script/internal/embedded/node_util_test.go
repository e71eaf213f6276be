package embedded

import "testing"

// What util and timers answer is what Node 20 does, as far as scripts go by it.
func TestUtil(t *testing.T) {
	expressions(t, nil, `
		const util=require('util'),dns=require('dns'),fs=require('fs'),timers=require('timers'),tp=require('timers/promises');
		const {promisify,format,inspect}=util;
		class Foo{constructor(){this.a=1}}`, [][2]string{
		{`promisify(dns.lookup)('127.0.0.2')`, `{"address":"127.0.0.2","family":4}`},
		{`promisify(dns.lookup)('127.0.0.2',4)`, `{"address":"127.0.0.2","family":4}`},
		{`promisify(setTimeout)(5,'x')`, `"x"`},
		{`promisify(setImmediate)('y')`, `"y"`},
		{`promisify(timers.setTimeout)(1,'x')`, `"x"`},
		{`promisify(fs.exists)('/nonono')`, `false`},
		{`inspect({get a(){return 1},set a(x){}})`, `"{ a: [Getter] }"`},
		{`inspect({get a(){throw new Error('no')}})`, `"{ a: [Getter] }"`},
		{`format('%j',(()=>{const o={};o.o=o;return o})())`, `"[Circular]"`},
		{`promisify(7)`, `"throws The \"original\" argument must be of type function"`},
		{`format('%d',null)`, `"0"`},
		{`format('%O',{a:{b:{c:{d:{e:1}}}}})`, `"{ a: { b: { c: [Object] } } }"`},
		{`inspect("it's")`, `"'it\\'s'"`},
		{`inspect("it's \"x\"")`, `"'it\\'s \"x\"'"`},
		{`inspect('a\tb\n\u0001')`, `"'a\\tb\\n\\u0001'"`},
		{`inspect({e:(()=>{const e=new Error('x');e.stack='S';return e})()})`, `"{ e: Error: x\nS }"`},
		{`inspect((()=>{const o={a:{}};o.a.o=o;return o})())`, `"{ a: { o: [Circular] } }"`},
		{`setTimeout('x')`, `"throws The \"callback\" argument must be of type function"`},
		{`setImmediate()`, `"throws The \"callback\" argument must be of type function"`},
		{`setInterval(null,1)`, `"throws The \"callback\" argument must be of type function"`},
		{`process.nextTick(1)`, `"throws The \"callback\" argument must be of type function"`},
		{`queueMicrotask(1)`, `"throws The \"callback\" argument must be of type function"`},
	})
}
