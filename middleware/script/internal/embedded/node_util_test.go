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
		{`promisify(fs.exists)('/tmp')`, `true`},
		{`promisify(fs.exists)('/nonono')`, `false`},
		{`promisify(7)`, `"throws The \"original\" argument must be of type function. Received type number (7)"`},
		{`promisify(function foo(a,b,cb){cb(null,a+b)}).name`, `"foo"`},
		{`promisify(Object.assign((cb)=>cb(null,1),{x:5})).x`, `5`},
		{`format('%s %s %s',-0,1n,Symbol('a'))`, `"-0 1n Symbol(a)"`},
		{`format('%d %d %d %d',-0,1n,Symbol('a'),'0x10')`, `"-0 1n NaN 16"`},
		{`format('%d',null)`, `"0"`},
		{`format('%i %i %i',1.5,'a',1n)`, `"1 NaN 1n"`},
		{`format('%f %f','1.5x',Symbol('a'))`, `"1.5 NaN"`},
		{`format('%O',{a:{b:{c:{d:{e:1}}}}})`, `"{ a: { b: { c: [Object] } } }"`},
		{`format('%s',{toString(){return 'own'}})`, `"own"`},
		{`inspect("it's")`, `"'it\\'s'"`},
		{`inspect("it's \"x\"")`, `"'it\\'s \"x\"'"`},
		{`inspect('a\tb\n\u0001')`, `"'a\\tb\\n\\u0001'"`},
		{`inspect({a:1,'b-c':2,[Symbol('s')]:3})`, `"{ a: 1, 'b-c': 2, [Symbol(s)]: 3 }"`},
		{`inspect(class B extends Foo{})`, `"[class B]"`},
		{`inspect(function*g(){})`, `"[GeneratorFunction: g]"`},
		{`inspect(Object.assign(function f(){},{a:1}))`, `"[Function: f] { a: 1 }"`},
		{`inspect(Object.assign([1],{a:1}))`, `"[ 1, a: 1 ]"`},
		{`inspect({e:(()=>{const e=new Error('x');e.stack='S';return e})()})`, `"{ e: [S] }"`},
		{`inspect({get a(){return 1},set b(x){}})`, `"{ a: [Getter], b: undefined }"`},
		{`inspect({get a(){return 1},set a(x){}})`, `"{ a: [Getter] }"`},
		{`inspect(new String('a'))`, `"[String: 'a']"`},
		{`inspect(new Number(1))`, `"[Number: 1]"`},
		{`inspect(new Boolean(true))`, `"[Boolean: true]"`},
		{`inspect([1,2,3],{maxArrayLength:2})`, `"[ 1, 2, ... 1 more item ]"`},
		{`inspect('abcdef',{maxStringLength:3})`, `"'abc'... 3 more characters"`},
		{`inspect((()=>{const o={a:{}};o.a.o=o;return o})())`, `"{ a: { o: [Circular] } }"`},
		{`Object.keys(util.types).sort().filter(k=>!/External|Module|Proxy|ArgumentsObject|KeyObject|CryptoKey|WeakMap|WeakSet|Shared|Generator/.test(k))`, `["isAnyArrayBuffer","isArrayBuffer","isArrayBufferView","isAsyncFunction","isDataView","isDate","isMap","isNativeError","isPromise","isRegExp","isSet","isTypedArray","isUint8Array"]`},
		{`util.deprecate(function named(a){},'x').name`, `"deprecated"`},
		{`util.inherits(null,()=>{})`, `"throws The \"ctor\" argument must be of type function. Received null"`},
		{`util.inherits(()=>{},null)`, `"throws The \"superCtor\" argument must be of type function. Received null"`},
		{`setTimeout('x')`, `"throws The \"callback\" argument must be of type function. Received type string ('x')"`},
		{`setImmediate()`, `"throws The \"callback\" argument must be of type function. Received undefined"`},
		{`setInterval(null,1)`, `"throws The \"callback\" argument must be of type function. Received null"`},
		{`process.nextTick(1)`, `"throws The \"callback\" argument must be of type function. Received type number (1)"`},
		{`queueMicrotask(1)`, `"throws The \"callback\" argument must be of type function. Received type number (1)"`},
	})
}
