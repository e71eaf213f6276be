package embedded

import "testing"

// Streams, and what packages require when they are loaded.
func TestStreams(t *testing.T) {
	expressions(t, nil, `
		const {Readable,Writable,Transform,PassThrough,Duplex,pipeline,finished}=require('stream');
		const stream=require('stream'),util=require('util');
		const all=async(s)=>{const l=[];for await(const c of s)l.push(c);return l};
		const from=(...c)=>{const r=new Readable({read(){this.push(c.length?c.shift():null)}});return r};
		const ev=(s,...names)=>{const l=[];for(const n of names)s.on(n,(...a)=>l.push([n,...a.map(x=>x instanceof Error?x.message:Buffer.isBuffer(x)?String(x):typeof x==='object'?'o':x)]));return l};
		const wait=(ms)=>new Promise(d=>setTimeout(d,ms));`, [][2]string{
		{`(async()=>(await all(from('a','b'))).map(String))()`, `["a","b"]`},
		{`(async()=>{const r=from('a','b');const l=ev(r,'data','end','close');await wait(20);return l})()`, `[["data","a"],["data","b"],["end"],["close"]]`},
		{`(async()=>{const r=from('a','b');const l=[];r.on('readable',()=>{let c;while((c=r.read())!==null)l.push(String(c))});r.on('end',()=>l.push('end'));r.on('close',()=>l.push('close'));await wait(20);return l})()`, `["ab","end","close"]`},
		{`(async()=>{const r=from('a','b');const l=ev(r,'end','close');await wait(20);return [l,r.readableFlowing]})()`, `[[],null]`},
		{`(async()=>{const r=from('ab','cd');r.setEncoding('utf8');const l=ev(r,'data','end');await wait(10);return l})()`, `[["data","ab"],["data","cd"],["end"]]`},
		{`(async()=>{const r=from(Buffer.from([0xc3]),Buffer.from([0xa9]));r.setEncoding('utf8');return all(r)})()`, `["é"]`},
		{`(async()=>{const r=new Readable({read(){}});r.push('abc');r.push('def');r.push(null);await wait(5);const l=[String(r.read(2)),String(r.read(2)),String(r.read(10)),r.read()];return l})()`, `["ab","cd","ef",null]`},
		{`(async()=>{const r=new Readable({read(){}});r.push('abc');return [r.read(5),String(r.read(3))]})()`, `[null,"abc"]`},
		{`(async()=>{const r=new Readable({read(){}});const l=ev(r,'error','close','end');r.destroy(new Error('x'));await wait(5);return [l,r.destroyed]})()`, `[[["error","x"],["close"]],true]`},
		{`(async()=>{const r=new Readable({read(){}});const l=ev(r,'error','close','end');r.destroy();await wait(5);return [l,r.destroyed,r.readable]})()`, `[[["close"]],true,false]`},
		{`(async()=>{const r=from('a');r.pause();const l=ev(r,'data');await wait(5);const n=l.length;r.resume();await wait(5);return [n,l]})()`, `[0,[["data","a"]]]`},
		{`(async()=>{const r=Readable.from(['a','b',1]);return all(r)})()`, `["a","b",1]`},
		{`(async()=>{const r=Readable.from((async function*(){yield 'x';yield 'y'})());return all(r)})()`, `["x","y"]`},
		{`all(Readable.from((function*(){yield 1;throw new Error('gen')})()))`, `"throws gen"`},
		{`(async()=>{const r=new Readable({read(){this.destroy(new Error('bad'))}});return all(r)})()`, `"throws bad"`},
		{`(async()=>{const r=from('a','b','c');for await(const c of r){break}return r.destroyed})()`, `true`},
		{`(async()=>{const l=[];const w=new Writable({write(c,e,cb){l.push(String(c));setImmediate(cb)},final(cb){l.push('final');cb()}});const x=ev(w,'finish','close');w.write('a');w.write('b');w.end('c');await wait(20);return [l,x,w.writableFinished]})()`, `[["a","b","c","final"],[["finish"],["close"]],true]`},
		{`(async()=>{const w=new Writable({highWaterMark:3,write(c,e,cb){setImmediate(cb)}});const x=ev(w,'drain');const a=[w.write('a'),w.write('bcd')];await wait(10);return [a,x]})()`, `[[true,false],[["drain"]]]`},
		{`(async()=>{const w=new Writable({write(c,e,cb){cb(new Error('w'))}});const x=ev(w,'error','close');w.write('a');await wait(10);return x})()`, `[["error","w"],["close"]]`},
		{`(async()=>{const w=new Writable({write(c,e,cb){cb()}});const x=ev(w,'error');w.end();w.write('a');await wait(10);return x})()`, `[["error","write after end"]]`},
		{`(async()=>{const t=new Transform({transform(c,e,cb){cb(null,String(c).toUpperCase())},flush(cb){this.push('!');cb()}});from('a','b').pipe(t);return (await all(t)).map(String).join('')})()`, `"AB!"`},
		{`(async()=>{const p=new PassThrough();from('a','b').pipe(p);return (await all(p)).map(String).join('')})()`, `"ab"`},
		{`(async()=>{const p=new PassThrough({highWaterMark:2});const q=new PassThrough();from(...'abcdefghijkl').pipe(p).pipe(q);return (await all(q)).map(String).join('')})()`, `"abcdefghijkl"`},
		{`(async()=>{const l=[];const w=new Writable({highWaterMark:1,write(c,e,cb){l.push(String(c));setTimeout(cb,1)}});from('a','b','c').pipe(w);await new Promise(d=>w.on('finish',d));return l})()`, `["a","b","c"]`},
		{`new Promise(d=>pipeline(from('a'),new PassThrough(),new Writable({write(c,e,cb){cb()}}),(e)=>d(e?e.message:'ok')))`, `"ok"`},
		{`new Promise(d=>pipeline(new Readable({read(){this.destroy(new Error('no'))}}),new PassThrough(),new Writable({write(c,e,cb){cb()}}),(e)=>d(e?e.message:'ok')))`, `"no"`},
		{`require('stream/promises').pipeline(from('a'),new Writable({write(c,e,cb){cb()}}))`, `undefined`},
		{`util.promisify(pipeline)(from('a'),new Writable({write(c,e,cb){cb()}}))`, `undefined`},
		{`new Promise(d=>{const r=from('a');finished(r,(e)=>d(e||'done'));r.resume()})`, `"done"`},
		{`new Promise(d=>{const r=new Readable({read(){}});finished(r,(e)=>d(e.message+e.code));r.destroy()})`, `"Premature closeERR_STREAM_PREMATURE_CLOSE"`},
		{`(async()=>{function R(){Readable.call(this)}util.inherits(R,Readable);R.prototype._read=function(){this.push('q');this.push(null)};return (await all(new R())).map(String)})()`, `["q"]`},
		{`(async()=>{class R extends Readable{constructor(){super({objectMode:true});this.n=0}_read(){this.push(this.n<3?{n:this.n++}:null)}}return all(new R())})()`, `[{"n":0},{"n":1},{"n":2}]`},
		{`(async()=>{class T extends Transform{_transform(c,e,cb){this.push(c);this.push(c);cb()}}const t=new T();t.end('z');return (await all(t)).map(String).join('')})()`, `"zz"`},
		{`(async()=>{const d=new Duplex({read(){this.push('r');this.push(null)},write(c,e,cb){this.w=String(c);cb()}});d.end('w');const l=await all(d);return [l.map(String),d.w]})()`, `[["r"],"w"]`},
		{`[stream===stream.Stream,new PassThrough() instanceof Readable,new Readable() instanceof stream,new Transform() instanceof Duplex,typeof stream.prototype.on]`, `[true,true,true,true,"function"]`},
		{`(async()=>{const r=from('a');const w=new Writable({write(c,e,cb){cb()}});const x=ev(w,'pipe','unpipe');r.pipe(w);r.unpipe(w);await wait(3);return x})()`, `[["pipe","o"],["unpipe","o","o"]]`},
		{`(async()=>{const a=new AbortController();const r=new Readable({read(){},signal:a.signal});const l=ev(r,'error','close');a.abort();await wait(5);return l})()`, `[["error","The operation was aborted"],["close"]]`},
		{`(async()=>{const r=from('b');await wait(1);r.unshift('a');return (await all(r)).map(String).join('')})()`, `"ab"`},
		{`structuredClone({a:[1,new Date(5),new Map([[1,{b:2}]]),new Set(['x'])],u:undefined,n:null})`, `{"a":[1,"1970-01-01T00:00:00.005Z",{},{}],"n":null}`},
		{`(()=>{const o={};o.o=o;const c=structuredClone(o);return c.o===c&&c!==o})()`, `true`},
		{`structuredClone({s:Symbol('q')})`, `"throws Symbol(q) could not be cloned."`},
		{`(()=>{try{structuredClone({f(){}})}catch(e){return [e.name,e.code]}})()`, `["DataCloneError",25]`},
		{`(()=>{const e=structuredClone(new TypeError('x'));return [e instanceof TypeError,e.message]})()`, `[true,"x"]`},
		{`(()=>{class A{constructor(){this.x=1}}const c=structuredClone(new A());return [c instanceof A,c.x]})()`, `[false,1]`},
		{`(()=>{const c=structuredClone(new Uint8Array([1,2]));return [c instanceof Uint8Array,c.length,c[1]]})()`, `[true,2,2]`},
		{`(()=>{const a=new AbortController();const l=[];a.signal.addEventListener('abort',(e)=>l.push(e.type));a.signal.onabort=()=>l.push('on');a.abort();a.abort();return [l,a.signal.aborted,a.signal.reason.name,a.signal.reason.message,a.signal.reason.code]})()`, `[["abort","on"],true,"AbortError","This operation was aborted",20]`},
		{`(()=>{const s=AbortSignal.abort('why');return [s.aborted,s.reason]})()`, `[true,"why"]`},
		{`(()=>{try{AbortSignal.abort().throwIfAborted()}catch(e){return e.name}})()`, `"AbortError"`},
		{`new Promise(d=>{const s=AbortSignal.timeout(2);s.addEventListener('abort',()=>d([s.reason.name,s.reason.message,s.reason.code]))})`, `["TimeoutError","The operation was aborted due to timeout",23]`},
		{`(()=>{const a=new AbortController();const s=AbortSignal.any([a.signal]);a.abort(1);return [s.aborted,s.reason]})()`, `[true,1]`},
		{`(()=>{const t=new EventTarget();const l=[];const f=(e)=>l.push(e.type);t.addEventListener('x',f);t.addEventListener('x',f);t.addEventListener('y',f,{once:true});t.dispatchEvent(new Event('x'));t.dispatchEvent(new Event('y'));t.dispatchEvent(new Event('y'));t.removeEventListener('x',f);t.dispatchEvent(new Event('x'));return l})()`, `["x","y"]`},
		{`(()=>{const dc=require('diagnostics_channel');const c=dc.channel('a');const l=[];const f=(m,n)=>l.push([m,n]);c.publish(1);dc.subscribe('a',f);c.publish(2);const u=c.unsubscribe(f);c.publish(3);return [l,u,c.hasSubscribers,dc.hasSubscribers('a'),dc.channel('a')===c]})()`, `[[[2,"a"]],true,false,false,true]`},
		{`(()=>{const t=require('node:diagnostics_channel').tracingChannel('q');const l=[];t.start.subscribe(m=>l.push(['start',m.x]));t.end.subscribe(m=>l.push(['end',m.result]));return [t.traceSync((a)=>a+1,{x:1},null,4),l]})()`, `[5,[["start",1],["end",5]]]`},
		{`require('diagnostics_channel').tracingChannel('z').tracePromise(async()=>5)`, `5`},
		{`[typeof require('perf_hooks').performance.now(),require('perf_hooks').performance===performance,typeof performance.timeOrigin]`, `["number",true,"number"]`},
		{`[require('tty').isatty(99),require('cluster').isMaster,require('node:cluster').isPrimary,require('constants').ENOENT,require('constants').R_OK,require('constants').SIGTERM]`, `[false,true,true,2,4,15]`},
		{`new (require('async_hooks').AsyncResource)('x').runInAsyncScope((a)=>a+1,null,1)`, `2`},
		{`require('async_hooks').AsyncResource.bind((a)=>a+1)(1)`, `2`},
		{`new Promise(d=>queueMicrotask(()=>d(1)))`, `1`},
		{`require('node:util')===require('util')`, `true`},
		{`(async()=>{const tp=require('timers/promises');const a=new AbortController();setTimeout(()=>a.abort(),1);await tp.setTimeout(500,'x',{signal:a.signal})})().catch(e=>[e.name,e.code,e.message])`, `["AbortError","ABORT_ERR","The operation was aborted"]`},
		{`[crypto.getRandomValues(new Uint32Array(4)).some((n) => n > 0), crypto.randomUUID().length]`, `[true,36]`},
	})
}
