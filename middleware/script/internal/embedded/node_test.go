package embedded

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// expressions evaluates expressions in a script, which may be promises, and compares what they are as JSON.
func expressions(t *testing.T, files map[string]string, head string, cases [][2]string) {
	t.Helper()
	var list strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&list, "async () => (%s),\n", c[0])
	}
	if files == nil {
		files = make(map[string]string)
	}
	files["balancer.js"] = head + `
		const cases = [` + list.String() + `];
		exports.run = (b) => b.addMiddleware('connection', async (socket, next) => {
			let value;
			try { value = await cases[socket.remoteAddress.split('.')[3]](); } catch (e) { value = 'throws ' + e.message; }
			next('=' + JSON.stringify(value));
		});`
	b, err := tryLoad(t, decide.Options{}, files)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		want := strings.ReplaceAll(c[1], "{DIR}", filepath.Dir(b.Path))
		if got := b.Ask(fmt.Sprintf("192.0.2.%d", i)); got != "="+want {
			t.Errorf("%s\n got %s\nwant %s", c[0], strings.TrimPrefix(got, "="), want)
		}
	}
}

func TestFS(t *testing.T) {
	expressions(t, map[string]string{"list.txt": "192.0.2.1\né\n", "sub/a": "", "sub/b": ""}, `
		const fs = require('fs'), path = require('path'), util = require('util');
		const at = (name) => path.join(__dirname, name);
		const code = (f) => { try { f(); } catch (e) { return [e.code, e.syscall, e.message]; } };`, [][2]string{
		{`fs.readFileSync(at('list.txt'), 'utf8')`, `"192.0.2.1\né\n"`},
		{`fs.readFileSync(at('list.txt'), { encoding: 'utf8' }).split('\n').length`, `3`},
		{`fs.readFileSync(at('list.txt')).length`, `13`},
		{`Buffer.isBuffer(fs.readFileSync(at('list.txt')))`, `true`},
		{`fs.promises.readFile(at('list.txt'), 'latin1').then((s) => s.length)`, `13`},
		{`util.promisify(fs.readFile)(at('list.txt'), 'utf8')`, `"192.0.2.1\né\n"`},
		{`fs.statSync(at('list.txt')).size`, `13`},
		{`fs.existsSync(at('list.txt')) && !fs.existsSync(at('none'))`, `true`},
		{`fs.statSync(at('list.txt')).isFile() && fs.statSync(at('sub')).isDirectory() && !fs.statSync(at('sub')).isFile()`, `true`},
		{`fs.statSync(at('list.txt')).mtime instanceof Date`, `true`},
		{`fs.promises.stat(at('sub')).then((s) => s.isDirectory())`, `true`},
		{`code(() => fs.readFileSync(at('none')))`, `["ENOENT","open","ENOENT: no such file or directory, open '{DIR}/none'"]`},
		{`code(() => fs.readFileSync(at('sub')))[0]`, `"EISDIR"`},
		{`code(() => fs.readFileSync(at('list.txt/x')))[0]`, `"ENOTDIR"`},
		{`fs.readdirSync(at('sub'))`, `["a","b"]`},
		{`fs.readdirSync(at('sub'), { withFileTypes: true }).map((e) => e.name + e.isFile())`, `["atrue","btrue"]`},
		{`fs.promises.access(at('none'))`, `"throws ENOENT: no such file or directory, access '{DIR}/none'"`},
	})
}

// Scripts reload their lists when these change.
func TestWatch(t *testing.T) {
	for _, watch := range []string{"fs.watch(list, read)", "fs.watchFile(list, { interval: 5 }, read)"} {
		t.Run(watch, func(t *testing.T) {
			b, err := tryLoad(t, decide.Options{}, map[string]string{"list": "::ffff:192.0.2.1", "balancer.js": `
				const fs = require('fs'), list = require('path').join(__dirname, 'list');
				let blocked;
				const read = () => { blocked = fs.readFileSync(list, 'utf8').split('\n'); console.log('read', blocked.length); };
				read();
				` + watch + `;
				exports.run = (b) => b.addMiddleware('connection', (socket, next) => next(blocked.includes(socket.remoteAddress)));`})
			if err != nil {
				t.Fatal(err)
			}
			b.Want("192.0.2.1", "true")
			b.Want("192.0.2.2", "")
			// Written aside first, as whoever replaces a file under a reader does.
			fresh := filepath.Join(filepath.Dir(b.Path), "fresh")
			write(t, fresh, "::ffff:192.0.2.2\n::ffff:192.0.2.3")
			if strings.HasPrefix(watch, "fs.watchFile") {
				err = os.Rename(fresh, filepath.Join(filepath.Dir(b.Path), "list"))
			} else {
				write(t, filepath.Join(filepath.Dir(b.Path), "list"), "::ffff:192.0.2.2\n::ffff:192.0.2.3")
			}
			if err != nil {
				t.Fatal(err)
			}
			b.Log.Await(t, "read 2")
			b.Want("192.0.2.1", "")
			b.Want("192.0.2.2", "true")
		})
	}
}

func TestNet(t *testing.T) {
	expressions(t, nil, `
		const net = require('net');
		const list = new net.BlockList();
		list.addAddress('192.0.2.1');
		list.addRange('192.0.2.10', '192.0.2.20');
		list.addSubnet('2001:db8::', 32, 'ipv6');
		list.addAddress('fe80::1', 'ipv6');
		const odd = new net.BlockList(), whole = new net.BlockList();
		odd.addRange('192.0.2.3', '192.0.2.177');
		whole.addRange('0.0.0.0', '255.255.255.255');`, [][2]string{
		{`['127.0.0.1', '::1', '::ffff:1.2.3.4', 'fe80::1%eth0', '1.2.3', '01.2.3.4', '', 'x'].map(net.isIP)`, `[4,6,6,6,0,0,0,0]`},
		{`[net.isIPv4('1.2.3.4'), net.isIPv4('::1'), net.isIPv6('::1'), net.isIPv6('1.2.3.4')]`, `[true,false,true,false]`},
		{`['192.0.2.1', '192.0.2.2', '192.0.2.9', '192.0.2.10', '192.0.2.20', '192.0.2.21'].map((a) => list.check(a))`, `[true,false,false,true,true,false]`},
		{`['2001:db8::5', '2001:db9::', '::ffff:192.0.2.1', '::ffff:192.0.2.2', 'fe80::1'].map((a) => list.check(a, 'ipv6'))`, `[true,false,true,false,true]`},
		{`list.check('2001:db8::5')`, `false`},
		{`['2001:DB8:0:0::1', '::FFFF:10.0.0.1', 'fe80::1%eth0'].map((address) => new net.SocketAddress({ address, family: 'ipv6' }).address)`, `["2001:db8::1","::ffff:10.0.0.1","fe80::1"]`},
		{`[0, 2, 3, 100, 177, 178, 255].filter((n) => odd.check('192.0.2.' + n))`, `[3,100,177]`},
		{`['0.0.0.0', '::ffff:10.0.0.0', '255.255.255.255'].map((a) => whole.check(a, net.isIPv6(a) ? 'ipv6' : 'ipv4'))`, `[true,true,true]`},
		{`Array.from({ length: 256 }, (_, n) => n).filter((n) => odd.check('192.0.2.' + n)).length`, `175`},
	})
}

// What a BlockList makes of addresses of both families, and what it does not take, is as in Node.
func TestBlockList(t *testing.T) {
	var cases [][2]string
	for _, c := range [][2]string{ // checked are an IPv4 address, the mapped one, another IPv6 address, and another IPv4 one
		{`b.addSubnet('::ffff:10.0.0.0', 104, 'ipv6')`, `true,true,false,false`},
		{`b.addSubnet('::ffff:10.0.0.0', 96, 'ipv6')`, `true,true,false,true`},
		{`b.addSubnet('::', 0, 'ipv6')`, `true,true,true,true`},
		{`b.addAddress('::ffff:10.1.1.1', 'ipv6')`, `true,true,false,false`},
		{`b.addRange('::ffff:10.0.0.0', '::ffff:10.255.0.0', 'ipv6')`, `true,true,false,false`},
		{`b.addRange('::1', 'ffff::', 'ipv6')`, `false,true,true,false`},
		{`b.addSubnet('10.0.0.0', 8)`, `true,true,false,false`},
		{`b.addSubnet('10.0.0.0', 0)`, `true,true,false,true`},
		{`b.addAddress('10.1.1.1')`, `true,true,false,false`},
		{`b.addAddress('10.1.1.1', 'IPv4')`, `true,true,false,false`},
		{`b.addAddress(new net.SocketAddress({ address: '10.1.1.1' }))`, `true,true,false,false`},
		{`b.addRange('10.0.0.0', '10.9.0.0')`, `true,true,false,false`},
		{`b.addSubnet('10.0.0.0')`, `ERR_INVALID_ARG_TYPE`},
		{`b.addSubnet('10.0.0.0', '8')`, `ERR_INVALID_ARG_TYPE`},
		{`b.addSubnet('10.0.0.0', NaN)`, `ERR_OUT_OF_RANGE`},
		{`b.addSubnet('10.0.0.0', 8.5)`, `ERR_OUT_OF_RANGE`},
		{`b.addSubnet('10.0.0.0', 33)`, `ERR_OUT_OF_RANGE`},
		{`b.addSubnet('10.0.0.0', -1)`, `ERR_OUT_OF_RANGE`},
		{`b.addSubnet('x', 8)`, `ERR_INVALID_ADDRESS`},
		{`b.addAddress('10.1.1.1', 'ipv6')`, `ERR_INVALID_ADDRESS`},
		{`b.addAddress('::1', 'ipv5')`, `ERR_INVALID_ADDRESS`},
		{`b.addAddress()`, `ERR_INVALID_ARG_TYPE`},
		{`b.addRange('10.9.0.0', '10.0.0.0')`, `ERR_INVALID_ARG_VALUE`},
		{`b.check()`, `ERR_INVALID_ARG_TYPE`},
		{`b.check(5)`, `ERR_INVALID_ARG_TYPE`},
		{`new net.SocketAddress({ address: 'zzz' })`, `ERR_INVALID_ADDRESS`},
		{`new net.SocketAddress({ port: 99999 })`, `ERR_SOCKET_BAD_PORT`},
	} {
		cases = append(cases, [2]string{`list((b) => ` + c[0] + `)`, `"` + c[1] + `"`})
	}
	expressions(t, nil, `
		const net = require('net');
		const list = (add) => {
			const b = new net.BlockList();
			try { add(b); } catch (e) { return e.code; }
			return [b.check('10.1.1.1'), b.check('::ffff:10.1.1.1', 'ipv6'), b.check('::2', 'ipv6'), b.check('99.1.1.1')].join();
		};`, cases)
}

func TestCryptoAndBuffer(t *testing.T) {
	expressions(t, nil, `const crypto = require('crypto');`, [][2]string{
		{`crypto.createHash('sha256').update('abc').digest('hex')`, `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`},
		{`crypto.createHash('MD5').update('a').update(Buffer.from('bc')).digest('base64')`, `"kAFQmDzST7DWlj99KOF/cg=="`},
		{`crypto.createHmac('sha1', 'key').update('abc').digest().toString('hex')`, `"4fd0b215276ef12f2b3e4c8ecac2811498b656fc"`},
		{`crypto.createHmac('sha1', new Uint16Array([258, 1])).digest('hex') === crypto.createHmac('sha1', Buffer.from([2, 1, 1, 0])).digest('hex')`, `true`},
		{`crypto.createHash('none')`, `"throws Digest method not supported"`},
		{`crypto.randomBytes(16).length`, `16`},
		{`new Promise((done) => crypto.randomBytes(4, (error, bytes) => done([error, bytes.length])))`, `[null,4]`},
		{`/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID())`, `true`},
		{`[0, 1, 2].includes(crypto.randomInt(3)) && crypto.randomInt(5, 6) === 5`, `true`},
		{`Buffer.from('é').toString('hex')`, `"c3a9"`},
		{`Buffer.from('c3a9', 'hex').toString()`, `"é"`},
		{`Buffer.concat([Buffer.from('a'), Buffer.from('b')]).toString('base64')`, `"YWI="`},
		{`Buffer.from([1, 2, 3]).readUInt16BE(1)`, `515`},
		{`Buffer.from('hello').slice(1, 3).toString()`, `"el"`},
		{`Buffer.byteLength('é')`, `2`},
		{`[Buffer.from('é', 'latin1').length, Buffer.from([0xe9]).toString('binary'), Buffer.from('x').toString()]`, `[1,"é","x"]`},
		{`[new Uint8Array(2) instanceof Uint8Array, Buffer.alloc(1) instanceof Uint8Array, Uint8Array.from([1]).length, new (class A extends Uint8Array {})(3).length, Float64Array.BYTES_PER_ELEMENT, ArrayBuffer.isView(Buffer.alloc(1))]`, `[true,true,1,3,8,true]`},
		{`Buffer.from('hello').indexOf('llo')`, `2`},
		{`Buffer.from('ab')`, `{"type":"Buffer","data":[97,98]}`},
		{`Buffer.from('a').equals(Buffer.from('a')) && Buffer.compare(Buffer.from('a'), Buffer.from('b')) === -1`, `true`},
		{`[...new Uint8Array([1, 2])].concat([...Buffer.alloc(2, 7)])`, `[1,2,7,7]`},
	})
}

func TestWords(t *testing.T) {
	expressions(t, nil, `const util = require('util'), path = require('path'), url = require('url'), qs = require('querystring'), os = require('os');`, [][2]string{
		{`util.format('%s %d %i %j %o %% %s', 'a', '1.5', 2.9, { b: 1 }, [1], 'x', 'rest', { c: 2 })`, `"a 1.5 2 {\"b\":1} [ 1 ] % x rest { c: 2 }"`},
		{`util.inspect({ a: 'b', c: [1, { d: { e: { f: 1 } } }], g: new Map([[1, 2]]), h: null })`, `"{ a: 'b', c: [ 1, { d: [Object] } ], g: Map(1) { 1 => 2 }, h: null }"`},
		{`(() => { const o = {}; o.o = o; return util.inspect(o); })()`, `"{ o: [Circular] }"`},
		{`util.promisify((x, done) => done(null, x + 1))(1)`, `2`},
		{`(() => { function A() {} function B() {} util.inherits(A, B); return new A() instanceof B; })()`, `true`},
		{`[path.join('/a', '..', 'b', './c/'), path.normalize('a//b/../c'), path.basename('/x/y.js', '.js'), path.extname('a.b.c'), path.dirname('/a/b')]`, `["/b/c/","a/c","y",".c","/a"]`},
		{`[path.resolve('/a', 'b', '../c'), path.resolve('/a', '/b/', ''), path.relative('/a/b', '/a/c/d'), path.relative('/a', '/a/b'), path.isAbsolute('/x'), path.sep]`, `["/a/c","/b","../c/d","b",true,"/"]`},
		{`path.parse('/home/x.txt')`, `{"root":"/","dir":"/home","base":"x.txt","ext":".txt","name":"x"}`},
		{`qs.parse('a=1&b=2&a=3&c=%20+')`, `{"a":["1","3"],"b":"2","c":"  "}`},
		{`qs.stringify({ a: [1, 2], b: 'x y', c: null })`, `"a=1&a=2&b=x%20y&c="`},
		{
			`(({ protocol, auth, host, port, hostname, pathname, search, query, hash }) => [protocol, auth, host, port, hostname, pathname, search, query, hash])(url.parse('http://u:p@Host.example:81/a/b?c=d#e'))`,
			`["http:","u:p","host.example:81","81","host.example","/a/b","?c=d","c=d","#e"]`,
		},
		{`url.parse('/x?y=1', true).query.y`, `"1"`},
		{`[new URL('http://h:80/a?b=c').searchParams.get('b'), new URLSearchParams({ x: '1' }).toString()]`, `["c","x=1"]`},
		{`[process.cwd() === path.resolve('.'), typeof process.env.PATH, typeof process.pid, process.argv.length, process.versions.node.split('.').length]`, `[true,"string","number",2,3]`},
		{`process.hrtime().length + typeof process.hrtime.bigint()`, `"2bigint"`},
		{`[typeof global, global === globalThis, typeof performance.now()]`, `["object",true,"number"]`},
		{`require('timers/promises').setTimeout(1, 'x')`, `"x"`},
		{`(() => { const e = {}; Error.captureStackTrace(e); return typeof e.stack; })()`, `"string"`},
		{`require('assert')`, `"throws the module \"assert\" needs runtime node"`},
	})
}

func TestTimers(t *testing.T) {
	expressions(t, nil, ``, [][2]string{
		{`new Promise((done) => { const t = setTimeout(done, 1, 'no'); clearTimeout(t); setTimeout(done, 5, 'yes'); })`, `"yes"`},
		{`new Promise((done) => { const t = setTimeout(done, 1, 'no'); clearTimeout(+t); setTimeout(done, 5, 'by number'); })`, `"by number"`},
		{`new Promise((done) => { const i = setImmediate(done, 'no'); clearImmediate(i); setTimeout(done, 5, 'yes'); })`, `"yes"`},
		{`new Promise((done) => { const l = []; setTimeout(() => l.push('t2'), 60); setTimeout(() => l.push('t1'), 30); setImmediate(() => l.push('i')); process.nextTick(() => l.push('n')); setTimeout(() => done(l), 90); l.push('s'); })`, `["s","n","i","t1","t2"]`},
		{`new Promise((done) => { const t = setTimeout(done, 1, 'x').unref().ref(); t.refresh(); })`, `"x"`},
		{`setTimeout('code', 1)`, `"throws The \"callback\" argument must be of type function"`},
		{`(() => { const before = Date.now(); return new Promise((done) => setTimeout(() => done(Date.now() - before >= 19), 20)); })()`, `true`},
	})
}

func TestDNS(t *testing.T) {
	expressions(t, nil, `const dns = require('dns');`, [][2]string{
		{`dns.promises.lookup('127.0.0.1')`, `{"address":"127.0.0.1","family":4}`},
		{`dns.promises.lookup('localhost', 4)`, `{"address":"127.0.0.1","family":4}`},
		{`new Promise((done) => dns.lookup('::1', { all: true }, (error, all) => done([error, all])))`, `[null,[{"address":"::1","family":6}]]`},
		{`new Promise((done) => dns.lookup('localhost', (error, address, family) => done(error || family === 4 || family === 6)))`, `true`},
		{`dns.promises.resolve4('127.0.0.1')`, `"throws queryA ENOTFOUND 127.0.0.1"`},
		{`dns.promises.lookup('nothing.invalid').catch((e) => [e.syscall, e.hostname, typeof e.code])`, `["getaddrinfo","nothing.invalid","string"]`},
		{`dns.promises.reverse('127.0.0.1').catch((e) => ['localhost']).then((names) => Array.isArray(names))`, `true`},
	})
}

// What scripts print is in the log, by its level; a flood of it is left out and counted.
func TestConsole(t *testing.T) {
	b := open(t, `
		console.log('a %s', { b: 1 }, [2]); console.info('info'); console.debug('debug'); console.warn('warn'); console.error(new Error('error'));
		console.group('group %d', 1); console.count('n'); console.count('n'); console.groupEnd(); console.timeEnd('never'); console.time('t'); console.timeEnd('t');
		for (let i = 0; i < 1000; i++) console.log('flood');
		next();`)
	b.Want("192.0.2.1", "")
	b.Close()
	log := b.Log.String()
	for _, want := range []string{
		`level=INFO msg="a { b: 1 } [ 2 ]"`, "level=INFO msg=info", "level=DEBUG msg=debug", "level=WARN msg=warn",
		`msg="group 1"`, `msg="n: 1"`, `msg="n: 2"`, `msg="t: `, `level=ERROR msg="Error: error`, "script=" + b.Path, "left_out=",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("%q is not in\n%.2000s", want, log)
		}
	}
	if n := strings.Count(log, "flood"); n != 200-9 {
		t.Errorf("%d lines of the flood", n)
	}
}
