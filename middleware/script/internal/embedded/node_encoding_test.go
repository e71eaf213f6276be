package embedded

import "testing"

// Files and chunks are read in the encodings that Node has.
func TestEncodedFiles(t *testing.T) {
	expressions(t, map[string]string{"encoded.txt": "hé€_-"}, `
		const fs = require('fs');
		const file = require('path').join(__dirname, 'encoded.txt');
		const code = (f) => { try { return f(); } catch (e) { return [e.name, e.code, e.message]; } };`, [][2]string{
		{`['utf8', 'utf16le', 'ucs2', 'ascii', 'latin1', 'hex', 'base64', 'base64url', 'UTF-8'].map((encoding) => escape(fs.readFileSync(file, encoding)))`, `["h%E9%u20AC_-","%uC368%uE2A9%uAC82%u2D5F","%uC368%uE2A9%uAC82%u2D5F","hC%29b%02%2C_-","h%C3%A9%E2%82%AC_-","68c3a9e282ac5f2d","aMOp4oKsXy0%3D","aMOp4oKsXy0","h%E9%u20AC_-"]`},
		{`[null, undefined, '', {}, { encoding: null }].map((options) => Buffer.isBuffer(fs.readFileSync(file, options)))`, `[true,true,true,true,true]`},
		{`code(() => fs.readFileSync(file, 'nope'))`, `["TypeError","ERR_INVALID_ARG_VALUE","The argument 'encoding' is invalid encoding. Received 'nope'"]`},
		{`code(() => fs.readFileSync(file, { encoding: 'nope' }))`, `["TypeError","ERR_INVALID_ARG_VALUE","The argument 'encoding' is invalid encoding. Received 'nope'"]`},
		{`code(() => fs.readFileSync(file, 5))`, `["TypeError","ERR_INVALID_ARG_VALUE","The argument 'encoding' is invalid encoding. Received 5"]`},
		{`code(() => fs.readFile(file, 'nope', () => {}))`, `["TypeError","ERR_INVALID_ARG_VALUE","The argument 'encoding' is invalid encoding. Received 'nope'"]`},
		{`fs.promises.readFile(file, 'nope').catch((e) => e.code)`, `"ERR_INVALID_ARG_VALUE"`},
		{`fs.promises.readFile(file, 'base64url')`, `"aMOp4oKsXy0"`},
	})
}
