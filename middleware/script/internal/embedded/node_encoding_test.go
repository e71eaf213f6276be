package embedded

import "testing"

// Files and chunks are read in the encodings that Node has.
func TestEncodedFiles(t *testing.T) {
	expressions(t, map[string]string{"encoded.txt": "hé€_-"}, `
		const fs = require('fs');
		const file = require('path').join(__dirname, 'encoded.txt');
		const code = (f) => { try { return f(); } catch (e) { return [e.name, e.code, e.message]; } };`, [][2]string{
		{`[null, undefined, '', {}, { encoding: null }].map((options) => Buffer.isBuffer(fs.readFileSync(file, options)))`, `[true,true,true,true,true]`},
		{`code(() => fs.readFileSync(file, 'nope'))`, `["TypeError","ERR_UNKNOWN_ENCODING","Unknown encoding: nope"]`},
		{`code(() => fs.readFileSync(file, { encoding: 'nope' }))`, `["TypeError","ERR_UNKNOWN_ENCODING","Unknown encoding: nope"]`},
		{`fs.promises.readFile(file, 'nope').catch((e) => e.code)`, `"ERR_UNKNOWN_ENCODING"`},
		{`fs.promises.readFile(file, 'base64url')`, `"aMOp4oKsXy0"`},
	})
}
