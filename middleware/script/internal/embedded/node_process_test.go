package embedded

import (
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

func TestSystem(t *testing.T) {
	expressions(t, nil, `
		const os=require('os');`, [][2]string{
		{`Object.keys(os).sort().filter(k=>!/Priority/.test(k))`, `["EOL","arch","homedir","hostname","platform","tmpdir","type"]`},
		{`(()=>{process.env.X_Q='1';return [Object.keys(process.env).includes('X_Q'),process.env.X_Q,'X_Q' in process.env]})()`, `[true,"1",true]`},
		{`process.env.TZ = 'Asia/Tokyo'`, `"throws process.env.TZ: another time zone: needs runtime node"`},
		{`[typeof process.stdout.write,process.stdout.fd,process.stderr.fd,process.stdout.isTTY||false]`, `["function",1,2,false]`},
		{`process.stdout.write('hello\n')`, `true`},
		{`new Promise(d=>process.stdout.write('x',()=>d('cb')))`, `"cb"`},
		{`process.nextTick()`, `"throws The \"callback\" argument must be of type function"`},
	})
}

// What is printed is in the log, and who listens for what nothing caught learns of it after its client was blocked.
func TestProcess(t *testing.T) {
	b := load(t, decide.Options{}, `
		process.on('uncaughtException', (error, origin) => console.log('caught', error.message, origin));
		exports.run = (b) => b.addMiddleware('connection', (socket, next) => {
			process.stdout.write('out\nput\n');
			process.stderr.write('bad');
			if (socket.remoteAddress.endsWith('.1')) throw new Error('thrown');
			if (socket.remoteAddress.endsWith('.3')) process.on('unhandledRejection', (reason) => console.log('also', reason.message));
			Promise.reject(new Error('rejected'));
		});`)
	b.Want("192.0.2.1", "FILE:6:60: thrown")
	b.Want("192.0.2.2", "FILE:8:28: rejected")
	b.Want("192.0.2.3", "FILE:8:28: rejected")
	for _, line := range []string{
		"level=INFO msg=out ", "level=INFO msg=put ", "level=ERROR msg=bad ", `msg="caught thrown uncaughtException"`,
		`msg="caught rejected unhandledRejection"`, `msg="also rejected"`,
	} {
		b.Log.Await(t, line)
	}
}
