package embedded

import "testing"

// Hashes have the names, encodings and errors that they have in Node.
func TestCrypto(t *testing.T) {
	expressions(t, nil, `
		const crypto = require('crypto');
		const code = (f) => { try { return f(); } catch (e) { return [e.name, e.code, e.message]; } };
		const sum = (...algorithm) => crypto.createHash(...algorithm).update('abc');
		const mac = (...algorithm) => crypto.createHmac(...algorithm).update('abc');`, [][2]string{
		{`['md5', 'SHA1', 'sha256', 'Sha512'].map((name) => sum(name).digest('hex').slice(0, 16))`, `["900150983cd24fb0","a9993e364706816a","ba7816bf8f01cfea","ddaf35a193617aba"]`},
		{`['base64url', 'latin1', undefined].map((encoding) => { const d = mac('md5', 'k').digest(encoding); return Buffer.isBuffer(d) || escape(d); })`, `["dZcsnGVp8vQHdS3bAqx53g","u%97%2C%9Cei%F2%F4%07u-%DB%02%ACy%DE",true]`},
		{`['hex', 'HEX', 'base64', 'base64url', 'latin1', 'binary', 'ascii', undefined].map((encoding) => { const d = sum('md5').digest(encoding); return Buffer.isBuffer(d) || escape(d); })`, `["900150983cd24fb0d6963f7d28e17f72","900150983cd24fb0d6963f7d28e17f72","kAFQmDzST7DWlj99KOF/cg%3D%3D","kAFQmDzST7DWlj99KOF_cg","%90%01P%98%3C%D2O%B0%D6%96%3F%7D%28%E1%7Fr","%90%01P%98%3C%D2O%B0%D6%96%3F%7D%28%E1%7Fr","%90%01P%98%3C%D2O%B0%D6%96%3F%7D%28%E1%7Fr",true]`},
		{`[['6162', 'hex'], ['YWI', 'base64'], ['é', 'latin1'], [new Uint8Array([97, 98])], [new Uint16Array([1, 2])], [new DataView(new ArrayBuffer(1))]].map((data) => crypto.createHash('md5').update(...data).digest('hex').slice(0, 8))`, `["187ef443","187ef443","34068776","187ef443","99ffb3d9","93b885ad"]`},
		{`new Promise((done) => crypto.randomInt(3, 4, (error, n) => done([error === undefined, n])))`, `[true,3]`},
		{`code(() => { const h = sum('md5'), part = Buffer.from('x'); h.update(part); part[0] = 0; return h.digest('hex') === crypto.createHash('md5').update('abcx').digest('hex'); })`, `true`},
		{`mac('sha384', 'k').digest('hex').slice(0, 16)`, `"d9a50eb061a93559"`},
		{`[Buffer.from('k'), new Uint8Array([107]), new Uint8Array([107]).buffer, 'k', ''].map((key) => mac('sha256', key).digest('hex').slice(0, 8))`, `["342e519c","342e519c","342e519c","342e519c","fd7adb15"]`},
		{`code(() => { const h = sum('md5'); h.digest(); h.digest(); })`, `["TypeError",null,"cannot read property 'reduce' of undefined"]`},
		{`code(() => { const h = sum('md5'); h.digest(); h.update('x'); })`, `["TypeError",null,"cannot read property 'push' of undefined"]`},
		{`code(() => { const h = mac('md5', 'k'); h.digest(); return h.digest('hex'); })`, `["TypeError",null,"cannot read property 'reduce' of undefined"]`},
		{`code(() => { const h = mac('md5', 'k'); h.digest(); h.update('x'); })`, `["TypeError",null,"cannot read property 'push' of undefined"]`},
		{`code(() => sum('none'))`, `["Error","ERR_CRYPTO_INVALID_DIGEST","Digest method not supported"]`},
		{`code(() => sum(5))`, `["Error","ERR_CRYPTO_INVALID_DIGEST","Digest method not supported"]`},
		{`code(() => mac('none', 'k'))`, `["Error","ERR_CRYPTO_INVALID_DIGEST","Digest method not supported"]`},
		{`code(() => mac('md5'))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"value\" argument must be of type string or an instance of Buffer, ArrayBuffer, or Array"]`},
		{`code(() => mac('md5', 5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"value\" argument must be of type string or an instance of Buffer, ArrayBuffer, or Array"]`},
		{`code(() => sum('md5').update(5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"value\" argument must be of type string or an instance of Buffer, ArrayBuffer, or Array"]`},
		{`new Promise((done) => { const order = []; crypto.randomBytes(4, (error, bytes) => done([...order, error, bytes.length])); process.nextTick(() => order.push('tick')); order.push('called'); })`, `["called","tick",null,4]`},
		{`code(() => crypto.randomBytes(-1))`, `["RangeError",null,"invalid array index"]`},
		{`code(() => crypto.randomBytes(4, 5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"callback\" argument must be of type function"]`},
		{`[1.5, 2 ** 48, '0', 5n, -1].map((most) => code(() => crypto.randomInt(most))[0])`, `["RangeError","RangeError","RangeError","TypeError","RangeError"]`},
		{`code(() => crypto.randomInt(5, 5))`, `["RangeError","ERR_OUT_OF_RANGE","The value of \"max\" is out of range. It must be an integer above \"min\", by less than 2 ** 48"]`},
		{`code(() => crypto.randomInt(2 ** 48))`, `["RangeError","ERR_OUT_OF_RANGE","The value of \"max\" is out of range. It must be an integer above \"min\", by less than 2 ** 48"]`},
	})
}
