package embedded

import "testing"

// A Buffer and its encodings are what they are in Node.
func TestBuffer(t *testing.T) {
	expressions(t, nil, `
		const hex = (b) => b.toString('hex');
		const code = (f) => { try { return f(); } catch (e) { return [e.name, e.code, e.message]; } };
		const all = ['utf8', 'UTF-8', 'latin1', 'binary', 'ascii', 'hex', 'base64', 'base64url', '', undefined];`, [][2]string{
		{`all.map((encoding) => hex(Buffer.from('_-8é€', encoding)))`, `["5f2d38c3a9e282ac","5f2d38c3a9e282ac","5f2d38e9ac","5f2d38e9ac","5f2d38e9ac","","ffef","ffef","5f2d38c3a9e282ac","5f2d38c3a9e282ac"]`},
		{`all.map((encoding) => hex(Buffer.from('61zz', encoding)))`, `["36317a7a","36317a7a","36317a7a","36317a7a","36317a7a","61","eb5cf3","eb5cf3","36317a7a","36317a7a"]`},
		{`all.map((encoding) => escape(Buffer.from('fbef61e9c3a98000', 'hex').toString(encoding || 'utf8')))`, `["%uFFFDa%uFFFD%E9%uFFFD%00","%uFFFDa%uFFFD%E9%uFFFD%00","%FB%EFa%E9%C3%A9%80%00","%FB%EFa%E9%C3%A9%80%00","%FB%EFa%E9%C3%A9%80%00","fbef61e9c3a98000","++9h6cOpgAA%3D","--9h6cOpgAA","%uFFFDa%uFFFD%E9%uFFFD%00","%uFFFDa%uFFFD%E9%uFFFD%00"]`},
		{`['e282', 'e28261', '61f09f98', 'efbbbf61', 'c3c3a9'].map((bytes) => escape(Buffer.from(bytes, 'hex').toString()))`, `["%uFFFD","%uFFFDa","a%uFFFD","%uFEFFa","%uFFFD%E9"]`},
		{`['YQ==YQ==', 'YQ=YQ', 'YW Jj', 'YW\nJj', 'Y', 'YWJjZ', '=YQ', '-_8', 'YWJjYWJj='].map((text) => hex(Buffer.from(text, 'base64')))`, `["61","61","616263","616263","","616263","","fbff","616263616263"]`},
		{`['YW.Jj', 'YW\tJj', 'YWJ*j', '!YQ'].map((text) => Buffer.from(text, 'base64').toString())`, `["abc","abc","abc","a"]`},
		{`['\ud800x', 'x\udc00', '\ud83d\ude00'].map((text) => hex(Buffer.from(text)))`, `["efbfbd78","78efbfbd","f09f9880"]`},
		{`[hex(Buffer.from('abzz', 'hex')), hex(Buffer.from('abc', 'hex'))]`, `["ab","ab"]`},
		{`[Buffer.from(new ArrayBuffer(3), 1, 1), Buffer.from(new Uint16Array([1, 258])), Buffer.from({ length: 2, 0: 5 }), Buffer.from({ type: 'Buffer', data: [1] })].map(hex)`, `["00","0102","0500","01"]`},
		{`[Buffer.from('abc').indexOf('6263', 'hex'), Buffer.from('abc').includes('a', 1)]`, `[1,false]`},
		{`[['6162', 'hex'], ['ab', 1, 'latin1'], ['abcdef', 1, 2], ['abcdef', 3]].map((what) => { const b = Buffer.alloc(4); return [b.write(...what), hex(b)]; })`, `[[2,"61620000"],[2,"00616200"],[2,"00616200"],[1,"00000061"]]`},
		{`['utf8', 'Base64URL', 'nope', '', undefined, 5, 'toString'].map((name) => Buffer.isEncoding(name))`, `[true,true,false,false,false,false,false]`},
		{`code(() => Buffer.from('x', 'nope'))`, `["TypeError","ERR_UNKNOWN_ENCODING","Unknown encoding: nope"]`},
		{`code(() => Buffer.from('x').toString('nope'))`, `["TypeError","ERR_UNKNOWN_ENCODING","Unknown encoding: nope"]`},
		{`code(() => Buffer.alloc(3).fill('x', 'nope'))`, `["TypeError","ERR_UNKNOWN_ENCODING","Unknown encoding: nope"]`},
		{`code(() => Buffer.alloc(3).write('x', 0, 'nope'))`, `["TypeError","ERR_UNKNOWN_ENCODING","Unknown encoding: nope"]`},
		{`code(() => Buffer.from('x').indexOf('x', 0, 'nope'))`, `["TypeError","ERR_UNKNOWN_ENCODING","Unknown encoding: nope"]`},
		{`code(() => Buffer.from(5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"value\" argument must be of type string or an instance of Buffer, ArrayBuffer, or Array"]`},
		{`code(() => Buffer.from({}))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"value\" argument must be of type string or an instance of Buffer, ArrayBuffer, or Array"]`},
		{`code(() => Buffer.alloc(-1))`, `["RangeError",null,"invalid array index"]`},
		{`[Buffer.alloc(3).fill('x'), Buffer.alloc(3, 'ab'), Buffer.alloc(3, 257), Buffer.alloc(3, 'ff', 'hex'), Buffer.alloc(5, Buffer.from('ab')), Buffer.alloc(4).fill('é', 1), Buffer.alloc(5).fill('xy', 1, 4), Buffer.alloc(2, '')].map(hex)`, `["787878","616261","010101","ffffff","6162616261","00c3a9c3","0078797800","0000"]`},
		{`[Buffer(3), new Buffer(2), Buffer('x'), new Buffer('ff', 'hex'), Buffer([1, 2, 300]), Buffer.of(1, 2)].map(hex)`, `["000000","0000","78","ff","01022c","0102"]`},
		{`code(() => Buffer.from(new ArrayBuffer(3), 4))`, `["RangeError",null,"invalid offset"]`},
		{`['ab', 'b', '', 98, 98.9, 256 + 98, Buffer.from('bc'), 'x'].map((what) => [Buffer.from('abcab').indexOf(what), Buffer.from('abcab').lastIndexOf(what), Buffer.from('abcab').includes(what)])`, `[[0,3,true],[1,4,true],[0,5,true],[1,4,true],[1,4,true],[1,4,true],[1,1,true],[-1,-1,false]]`},
		{`[0, 1, 3, 4, -1, -2, 9, NaN, undefined, null, 1.9].map((offset) => [Buffer.from('abcab').indexOf('ab', offset), Buffer.from('abcab').lastIndexOf('ab', offset)])`, `[[0,0],[3,0],[3,3],[-1,3],[-1,3],[3,3],[-1,3],[0,3],[0,3],[0,0],[3,0]]`},
		{`code(() => Buffer.from('x').indexOf(null))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"value\" argument must be of type string or an instance of Buffer, ArrayBuffer, or Array"]`},
		{`[Buffer.compare(Buffer.from('a'), Buffer.from('ab')), Buffer.from('b').compare(new Uint8Array([97])), Buffer.from('abc').compare(Buffer.from('xbc'), 1, 3, 1), Buffer.from('a').equals(new Uint8Array([97]))]`, `[-1,1,0,true]`},
		{`[Buffer.concat([Buffer.from('ab'), new Uint8Array([7])]), Buffer.concat([Buffer.from('abc')], 2), Buffer.concat([Buffer.from('a')], 3), Buffer.concat([])].map(hex)`, `["616207","6162","610000",""]`},
		{`['', '1', '-2,-1', '2,1', '1.9', 'undefined,2', '-9,"2"'].map((range) => eval('Buffer.from("abc").slice(' + range + ') + "," + Buffer.from("abc").subarray(' + range + ')'))`, `["abc,abc","bc,bc","b,b",",","bc,bc","ab,ab","ab,ab"]`},
		{`((b) => { b.slice(1)[0] = 120; b.subarray(2).fill('y'); return b.toString(); })(Buffer.from('abc'))`, `"axy"`},
		{`[[0], [1, 1], [3], [0, 0, 2], [9]].map((range) => { const b = Buffer.alloc(4); return [Buffer.from('abc').copy(b, ...range), hex(b)]; })`, `[[3,"61626300"],[2,"00626300"],[1,"00000061"],[2,"61620000"],[0,"00000000"]]`},
		{`code(() => Buffer.alloc(1).write(5))`, `["TypeError","ERR_INVALID_ARG_TYPE","The \"value\" argument must be of type string or an instance of Buffer, ArrayBuffer, or Array"]`},
		{`['Int8', 'UInt8', 'Int16LE', 'Uint16BE', 'Int32BE', 'UInt32LE', 'FloatBE', 'DoubleLE'].map((kind) => Buffer.from('80ff01fe7f00c0a1b2', 'hex')['read' + kind](1))`, `[-1,255,511,65281,-16646529,2147353087,-1.7279183072434166e+38,-8.427319996413229e-65]`},
		{`['BigInt64LE', 'BigUInt64BE', 'BigUint64LE'].map((kind) => String(Buffer.from('80ff01fe7f00c0a1b2', 'hex')['read' + kind]()))`, `["-6791427688352317568","9295150348480069793","11655316385357234048"]`},
		{`['Int8', 'UInt8', 'Int16LE', 'Uint16BE', 'Int32BE', 'UInt32LE', 'FloatBE', 'DoubleLE'].map((kind) => { const b = Buffer.alloc(9); return [b['write' + kind](100.7, 1), hex(b)]; })`, `[[2,"006400000000000000"],[2,"006400000000000000"],[3,"006400000000000000"],[3,"000064000000000000"],[5,"000000006400000000"],[5,"006400000000000000"],[5,"0042c9666600000000"],[9,"00cdcccccccc2c5940"]]`},
		{`[1, 3, 6].map((size) => Buffer.from('00ff01fe7f00c0', 'hex').readUIntBE(1, size))`, `[255,16712190,280384029786304]`},
		{`['BigInt64LE', 'BigUInt64BE'].map((kind) => { const b = Buffer.alloc(8); return [b['write' + kind](258n), hex(b)]; })`, `[[8,"0201000000000000"],[8,"0000000000000102"]]`},
		{`code(() => Buffer.alloc(4).readUInt32LE(1))`, `["RangeError",null,"out of bound"]`},
		{`code(() => Buffer.alloc(1).readUInt16LE())`, `["RangeError",null,"out of bound"]`},
		{`[JSON.stringify(Buffer.from('ab')), Buffer.from(JSON.parse(JSON.stringify(Buffer.from('ab')))).toString(), require('util').inspect(Buffer.alloc(52)), String(Buffer.from('é'))]`, `["{\"type\":\"Buffer\",\"data\":[97,98]}","ab","<Buffer 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 ...>","é"]`},
		{`[Buffer.isBuffer(new Uint8Array(1)), Buffer.from('a').map((x) => x + 1) instanceof Buffer, Buffer.from('a').slice() instanceof Buffer, [...Buffer.from('ab')], Buffer.from('a').constructor === Buffer, Buffer.name]`, `[false,true,true,[97,98],true,"Buffer"]`},
	})
}
