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
		{`['ripemd160', 'sha3-224', 'SHA3-256', 'sha3-384', 'sha3-512', 'blake2b512', 'blake2s256', 'sha512-224', 'sha512-256'].map((name) => sum(name).digest('hex').slice(0, 16))`, `["8eb208f7e05d987a","e642824c3f8cf24a","3a985da74fe225b2","ec01498288516fc9","b751850b1a57168a","ba80a53f981c4d0d","508c5e8c327c14e2","4634270f707b6a54","53048e2681941ef9"]`},
		{`['ripemd160', 'sha3-256', 'sha3-512', 'blake2b512', 'sha384', 'sha512-224'].map((name) => mac(name, 'k').digest('hex').slice(0, 16))`, `["760bba2de2cd21e5","c12b7603f94b3e32","7cc7ed9b9f44d32f","a6c4696af085dfa9","d9a50eb061a93559","da9208e9bcc1b29c"]`},
		{`['hex', 'HEX', 'base64', 'base64url', 'latin1', 'binary', 'ascii', 'ucs2', 'buffer', 'nope', undefined].map((encoding) => { const d = sum('md5').digest(encoding); return Buffer.isBuffer(d) || escape(d); })`, `["900150983cd24fb0d6963f7d28e17f72","900150983cd24fb0d6963f7d28e17f72","kAFQmDzST7DWlj99KOF/cg%3D%3D","kAFQmDzST7DWlj99KOF_cg","%90%01P%98%3C%D2O%B0%D6%96%3F%7D%28%E1%7Fr","%90%01P%98%3C%D2O%B0%D6%96%3F%7D%28%E1%7Fr","%10%01P%18%3CRO0V%16%3F%7D%28a%7Fr","%u0190%u9850%uD23C%uB04F%u96D6%u7D3F%uE128%u727F",true,true,true]`},
		{`['base64url', 'latin1', undefined].map((encoding) => { const d = mac('md5', 'k').digest(encoding); return Buffer.isBuffer(d) || escape(d); })`, `["dZcsnGVp8vQHdS3bAqx53g","u%97%2C%9Cei%F2%F4%07u-%DB%02%ACy%DE",true]`},
		{`[['6162', 'hex'], ['YWI', 'base64'], ['é', 'latin1'], ['é', 'ucs2'], ['é', 'nope'], [new Uint16Array([1, 2])], [new DataView(new ArrayBuffer(1))]].map((data) => crypto.createHash('md5').update(...data).digest('hex').slice(0, 8))`, `["187ef443","187ef443","34068776","ed71e8ff","66ddcd97","99ffb3d9","93b885ad"]`},
		{`[Buffer.from('k'), new Uint8Array([107]), new Uint8Array([107]).buffer, 'k', ''].map((key) => mac('sha256', key).digest('hex').slice(0, 8))`, `["342e519c","342e519c","342e519c","342e519c","fd7adb15"]`},
		{`['sha1', 'md5', 'sha3-256', 'ripemd160', 'blake2b512'].map((name) => { const a = crypto.createHash(name).update('a'); const b = a.copy().update('b'); return [a.digest('hex'), b.digest('hex')].map((s) => s.slice(0, 8)); })`, `[["86f7e437","da23614e"],["0cc175b9","187ef443"],["80084bf2","5c828b33"],["0bdc9d2d","8576c67f"],["333fcb4e","b32c0573"]]`},
		{`code(() => { const h = sum('md5'); h.digest(); h.digest(); })`, `["Error","ERR_CRYPTO_HASH_FINALIZED","Digest already called"]`},
		{`code(() => { const h = sum('md5'); h.digest(); h.update('x'); })`, `["Error","ERR_CRYPTO_HASH_FINALIZED","Digest already called"]`},
		{`code(() => { const h = sum('md5'); h.digest(); h.copy(); })`, `["Error","ERR_CRYPTO_HASH_FINALIZED","Digest already called"]`},
		{`code(() => { const h = mac('md5', 'k'); h.digest(); return h.digest('hex'); })`, `["Error","ERR_CRYPTO_HASH_FINALIZED","Digest already called"]`},
		{`code(() => { const h = mac('md5', 'k'); h.digest(); h.update('x'); })`, `["Error","ERR_CRYPTO_HASH_FINALIZED","Digest already called"]`},
		{`code(() => sum('none'))`, `["Error","ERR_CRYPTO_INVALID_DIGEST","Digest method not supported"]`},
		{`code(() => sum(5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"algorithm\" argument must be of type string. Received type number (5)"]`},
		{`code(() => mac('none', 'k'))`, `["Error","ERR_CRYPTO_INVALID_DIGEST","Digest method not supported"]`},
		{`code(() => mac('md5'))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"key\" argument must be of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView. Received undefined"]`},
		{`code(() => mac('md5', 5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"key\" argument must be of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView. Received type number (5)"]`},
		{`code(() => sum('md5').update(5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"data\" argument must be of type string or an instance of ArrayBuffer, Buffer, TypedArray, or DataView. Received type number (5)"]`},
		{`code(() => sum('md5').update('616', 'hex'))`, `["TypeError","ERR_INVALID_ARG_VALUE","The argument 'encoding' is invalid for data of length 3. Received 'hex'"]`},
		{`new Promise((done) => { const order = []; crypto.randomBytes(4, (error, bytes) => done([...order, error, bytes.length])); process.nextTick(() => order.push('tick')); order.push('called'); })`, `["called","tick",null,4]`},
		{`code(() => crypto.randomBytes('4'))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"size\" argument must be of type number. Received type string ('4')"]`},
		{`code(() => crypto.randomBytes(-1))`, `["RangeError","ERR_OUT_OF_RANGE","The value of \"size\" is out of range. It must be >= 0 && <= 2147483647. Received -1"]`},
		{`code(() => crypto.randomBytes(4, 5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"callback\" argument must be of type function. Received type number (5)"]`},
		{`code(() => crypto.randomInt(5, 5))`, `["RangeError","ERR_OUT_OF_RANGE","The value of \"max\" is out of range. It must be greater than the value of \"min\", by less than 2 ** 48. Received 5"]`},
		{`code(() => crypto.randomInt('5'))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"max\" argument must be a safe integer. Received type string ('5')"]`},
		{`code(() => crypto.randomInt(2 ** 48))`, `["RangeError","ERR_OUT_OF_RANGE","The value of \"max\" is out of range. It must be greater than the value of \"min\", by less than 2 ** 48. Received 281474976710656"]`},
		{`new Promise((done) => crypto.randomInt(3, 4, (error, n) => done([error === undefined, n])))`, `[true,3]`},
	})
}
