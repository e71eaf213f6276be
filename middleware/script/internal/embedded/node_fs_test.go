package embedded

import (
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	expressions(t, map[string]string{
		"fx/list.txt": "192.0.2.1\né\n", "fx/lines.txt": "a\r\nb\n\nc\rd", "fx/sub/a": "", "fx/sub/b": "", "fx/sub/deep/c": "",
	}, `
		const fs=require('fs'),path=require('path'),util=require('util'),readline=require('readline');
		const at=(name)=>path.join(__dirname,'fx',name);
		const code=(f)=>{try{return f()}catch(e){return [e.name,e.message,{...e}]}};
		const cb=(f,...a)=>new Promise(d=>f(...a,(e,...r)=>d(e?[e.name,e.message,{...e}]:r)));
		const pr=(p)=>p.catch(e=>[e.name,e.message,{...e}]);
		const lines=async(input,o)=>{const l=[];for await(const x of readline.createInterface({input,...o}))l.push(x);return l};`, [][2]string{
		{`code(()=>fs.readFileSync(at('none')))`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"open","path":"{DIR}/fx/none"}]`},
		{`code(()=>fs.readFileSync(at('sub')))`, `["Error","EISDIR: illegal operation on a directory, read",{"errno":-21,"code":"EISDIR","syscall":"read"}]`},
		{`code(()=>fs.readFileSync(at('list.txt/x')))`, `["Error","ENOTDIR: not a directory, open '{DIR}/fx/list.txt/x'",{"errno":-20,"code":"ENOTDIR","syscall":"open","path":"{DIR}/fx/list.txt/x"}]`},
		{`code(()=>fs.readFileSync(777777))`, `["Error","EBADF: bad file descriptor, fstat",{"errno":-9,"code":"EBADF","syscall":"fstat"}]`},
		{`code(()=>fs.readFileSync(undefined))`, `["TypeError","The \"path\" argument must be of type string or an instance of Buffer or URL. Received undefined",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.readFileSync({}))`, `["TypeError","The \"path\" argument must be of type string or an instance of Buffer or URL. Received an instance of Object",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.readFileSync('a\0b'))`, `["TypeError","The argument 'path' must be a string, Uint8Array, or URL without null bytes. Received 'a\\x00b'",{"code":"ERR_INVALID_ARG_VALUE"}]`},
		{`code(()=>fs.readFileSync(''))`, `["Error","ENOENT: no such file or directory, open ''",{"errno":-2,"code":"ENOENT","syscall":"open","path":""}]`},
		{`code(()=>fs.readFileSync(at('list.txt'),'nope'))`, `["TypeError","The argument 'encoding' is invalid encoding. Received 'nope'",{"code":"ERR_INVALID_ARG_VALUE"}]`},
		{`cb(fs.readFile,at('none'))`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"open","path":"{DIR}/fx/none"}]`},
		{`cb(fs.readFile,at('sub'))`, `["Error","EISDIR: illegal operation on a directory, read",{"errno":-21,"code":"EISDIR","syscall":"read"}]`},
		{`code(()=>fs.readFile(at('none')))`, `["TypeError","The \"cb\" argument must be of type function. Received undefined",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.readFile(7.5,()=>{}))`, `["TypeError","The \"path\" argument must be of type string or an instance of Buffer or URL. Received type number (7.5)",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.stat(at('none'),7))`, `["TypeError","The \"cb\" argument must be of type function. Received undefined",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`pr(fs.promises.readFile(at('none')))`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"open","path":"{DIR}/fx/none"}]`},
		{`pr(fs.promises.readFile(at('sub')))`, `["Error","EISDIR: illegal operation on a directory, read",{"errno":-21,"code":"EISDIR","syscall":"read"}]`},
		{`pr(fs.promises.readFile(null))`, `["TypeError","The \"path\" argument must be of type string or an instance of Buffer or URL. Received null",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.statSync(at('none')))`, `["Error","ENOENT: no such file or directory, stat '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"stat","path":"{DIR}/fx/none"}]`},
		{`code(()=>fs.lstatSync(at('none')))`, `["Error","ENOENT: no such file or directory, lstat '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"lstat","path":"{DIR}/fx/none"}]`},
		{`cb(fs.stat,at('none'))`, `["Error","ENOENT: no such file or directory, stat '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"stat","path":"{DIR}/fx/none"}]`},
		{`pr(fs.promises.stat(at('none')))`, `["Error","ENOENT: no such file or directory, stat '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"stat","path":"{DIR}/fx/none"}]`},
		{`code(()=>fs.statSync(at('none'),{throwIfNoEntry:false})===undefined)`, `true`},
		{`code(()=>fs.readdirSync(at('none')))`, `["Error","ENOENT: no such file or directory, scandir '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"scandir","path":"{DIR}/fx/none"}]`},
		{`code(()=>fs.readdirSync(at('list.txt')))`, `["Error","ENOTDIR: not a directory, scandir '{DIR}/fx/list.txt'",{"errno":-20,"code":"ENOTDIR","syscall":"scandir","path":"{DIR}/fx/list.txt"}]`},
		{`fs.readdirSync(at('sub'))`, `["a","b","deep"]`},
		{`fs.readdirSync(at('sub'),{recursive:true})`, `["a","b","deep","deep/c"]`},
		{`fs.readdirSync(at('sub'),{recursive:true,withFileTypes:true}).map(e=>[e.name,e.isFile(),e.isDirectory(),path.relative(__dirname,e.parentPath||e.path)])`, `[["a",true,false,"fx/sub"],["b",true,false,"fx/sub"],["deep",false,true,"fx/sub"],["c",true,false,"fx/sub/deep"]]`},
		{`fs.promises.readdir(at(''),{recursive:true}).then(l=>l.sort())`, `["lines.txt","list.txt","sub","sub/a","sub/b","sub/deep","sub/deep/c"]`},
		{`code(()=>fs.accessSync(at('none')))`, `["Error","ENOENT: no such file or directory, access '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"access","path":"{DIR}/fx/none"}]`},
		{`code(()=>fs.accessSync(at('list.txt')))`, `undefined`},
		{`code(()=>fs.accessSync(at('list.txt'),fs.constants.X_OK))`, `["Error","EACCES: permission denied, access '{DIR}/fx/list.txt'",{"errno":-13,"code":"EACCES","syscall":"access","path":"{DIR}/fx/list.txt"}]`},
		{`code(()=>fs.accessSync(at('list.txt'),fs.constants.R_OK|fs.constants.W_OK))`, `undefined`},
		{`pr(fs.promises.access(at('list.txt'),fs.constants.X_OK))`, `["Error","EACCES: permission denied, access '{DIR}/fx/list.txt'",{"errno":-13,"code":"EACCES","syscall":"access","path":"{DIR}/fx/list.txt"}]`},
		{`pr(fs.promises.access(at('none')))`, `["Error","ENOENT: no such file or directory, access '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"access","path":"{DIR}/fx/none"}]`},
		{`cb(fs.access,at('list.txt'),fs.constants.R_OK)`, `[]`},
		{`cb(fs.access,at('list.txt'))`, `[]`},
		{`code(()=>fs.realpathSync(at('none')))`, `["Error","ENOENT: no such file or directory, lstat '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"lstat","path":"{DIR}/fx/none"}]`},
		{`fs.realpathSync(at('sub/../list.txt'))===at('list.txt')`, `true`},
		{`code(()=>fs.readlinkSync(at('list.txt')))`, `["Error","EINVAL: invalid argument, readlink '{DIR}/fx/list.txt'",{"errno":-22,"code":"EINVAL","syscall":"readlink","path":"{DIR}/fx/list.txt"}]`},
		{`code(()=>fs.readlinkSync('/proc/self/exe').length>0)`, `true`},
		{`code(()=>{const fd=fs.openSync(at('list.txt'),'r');const b=Buffer.alloc(20);const n=fs.readSync(fd,b,0,5,0);const m=fs.readSync(fd,b,5,4,5);const s=fs.fstatSync(fd).size;fs.closeSync(fd);return [n,m,b.toString('utf8',0,9),s]})`, `[5,4,"192.0.2.1",13]`},
		{`code(()=>{const fd=fs.openSync(at('list.txt'),'r');const b=Buffer.alloc(4);const l=[];let n;while((n=fs.readSync(fd,b))>0)l.push(b.toString('latin1',0,n));fs.closeSync(fd);return l})`, `["192.","0.2.","1\nÃ©","\n"]`},
		{`code(()=>{const fd=fs.openSync(at('list.txt'),'r');const s=fs.readFileSync(fd,'utf8');fs.closeSync(fd);return s})`, `"192.0.2.1\né\n"`},
		{`code(()=>fs.openSync(at('none'),'r'))`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"open","path":"{DIR}/fx/none"}]`},
		{`code(()=>fs.closeSync(9999))`, `["Error","EBADF: bad file descriptor, close",{"errno":-9,"code":"EBADF","syscall":"close"}]`},
		{`code(()=>fs.fstatSync(9999))`, `["Error","EBADF: bad file descriptor, fstat",{"errno":-9,"code":"EBADF","syscall":"fstat"}]`},
		{`code(()=>fs.readSync(9999,Buffer.alloc(1)))`, `["Error","EBADF: bad file descriptor, read",{"errno":-9,"code":"EBADF","syscall":"read"}]`},
		{`code(()=>fs.readSync('x',Buffer.alloc(1)))`, `["TypeError","The \"fd\" argument must be of type number. Received type string ('x')",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.closeSync('x'))`, `["TypeError","The \"fd\" argument must be of type number. Received type string ('x')",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>{const fd=fs.openSync(at('list.txt'));try{fs.readSync(fd,'x')}finally{fs.closeSync(fd)}})`, `["TypeError","The \"buffer\" argument must be an instance of Buffer, TypedArray, or DataView. Received type string ('x')",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>{const fd=fs.openSync(at('list.txt'));try{fs.readSync(fd,Buffer.alloc(3),0,5)}finally{fs.closeSync(fd)}})`, `["RangeError","The value of \"length\" is out of range. It must be <= 3. Received 5",{"code":"ERR_OUT_OF_RANGE"}]`},
		{`cb(fs.open,at('list.txt'),'r').then(([fd])=>cb(fs.read,fd,Buffer.alloc(3),0,3,null).then(([n,b])=>cb(fs.close,fd).then(r=>[n,String(b),r])))`, `[3,"192",[]]`},
		{`cb(fs.open,at('none'),'r')`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"open","path":"{DIR}/fx/none"}]`},
		{`cb(fs.open,at('none'))`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"open","path":"{DIR}/fx/none"}]`},
		{`new Promise(d=>fs.exists(at('list.txt'),d))`, `true`},
		{`new Promise(d=>fs.exists(at('none'),d))`, `false`},
		{`fs.existsSync(7)`, `false`},
		{`new Promise(d=>{const w=(c,p)=>{fs.unwatchFile(at('none'));d([c.mtimeMs,p.mtimeMs,c.size,c.isFile()])};fs.watchFile(at('none'),{interval:20},w)})`, `[0,0,0,false]`},
		{`code(()=>fs.watchFile(at('none')))`, `["TypeError","The \"listener\" argument must be of type function. Received undefined",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`Object.keys(fs.readdirSync(at('sub'),{withFileTypes:true})[0]).sort()`, `["name","parentPath","path"]`},
		{`new Promise((d,f)=>{const l=[];fs.createReadStream(at('list.txt'),'utf8').on('data',c=>l.push(c)).on('end',()=>l.push('end')).on('close',()=>d(l)).on('error',f)})`, `["192.0.2.1\né\n","end"]`},
		{`new Promise((d,f)=>{const l=[];fs.createReadStream(at('list.txt'),{start:2,end:5,encoding:'latin1'}).on('data',c=>l.push(c)).on('end',()=>d(l)).on('error',f)})`, `["2.0."]`},
		{`new Promise((d,f)=>{const l=[];fs.createReadStream(at('list.txt'),{highWaterMark:4}).on('data',c=>l.push(c.length)).on('end',()=>d(l)).on('error',f)})`, `[4,4,4,1]`},
		{`new Promise(d=>{const l=[];fs.createReadStream(at('none')).on('error',e=>l.push([e.message,{...e}])).on('close',()=>d(l))})`, `[["ENOENT: no such file or directory, open '{DIR}/fx/none'",{"errno":-2,"code":"ENOENT","syscall":"open","path":"{DIR}/fx/none"}]]`},
		{`code(()=>fs.createReadStream())`, `["TypeError","The \"path\" argument must be of type string or an instance of Buffer or URL. Received undefined",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.createReadStream(at('list.txt'),{start:5,end:2}))`, `["RangeError","The value of \"start\" is out of range. It must be <= \"end\" (here: 2). Received 5",{"code":"ERR_OUT_OF_RANGE"}]`},
		{`code(()=>fs.createReadStream(at('list.txt'),{start:'x'}))`, `["TypeError","The \"start\" argument must be of type number. Received type string ('x')",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`(async()=>{let s='';for await(const c of fs.createReadStream(at('list.txt')))s+=c;return s})()`, `"192.0.2.1\né\n"`},
		{`(async()=>{for await(const c of fs.createReadStream(at('none')));})()`, `"throws ENOENT: no such file or directory, open '{DIR}/fx/none'"`},
		{`(async()=>{const s=fs.createReadStream(at('list.txt'));const l=[];s.on('open',fd=>l.push(typeof fd)).on('ready',()=>l.push('ready'));await new Promise(d=>s.on('ready',d));s.destroy();await new Promise(d=>s.on('close',d));return [l,s.path===at('list.txt')]})()`, `[["number","ready"],true]`},
		{`lines(fs.createReadStream(at('list.txt')))`, `["192.0.2.1","é"]`},
		{`lines(fs.createReadStream(at('lines.txt')),{crlfDelay:Infinity})`, `["a","b","","c","d"]`},
		{`lines(fs.createReadStream(at('lines.txt'),{highWaterMark:2}),{crlfDelay:Infinity})`, `["a","b","","c","d"]`},
		{`lines(fs.createReadStream(at('list.txt'),{highWaterMark:1}))`, `["192.0.2.1","é"]`},
		{`lines(require('stream').Readable.from(['x\ny','z\n\n']))`, `["x","yz",""]`},
		{`new Promise(d=>{const l=[];const r=readline.createInterface({input:fs.createReadStream(at('list.txt'))});r.on('line',x=>l.push(x)).on('close',()=>d(l))})`, `["192.0.2.1","é"]`},
		{`new Promise(d=>{const l=[];const r=readline.createInterface(fs.createReadStream(at('lines.txt')));r.on('line',x=>{l.push(x);if(l.length===2)r.close()}).on('close',()=>setTimeout(()=>d(l),5))})`, `["a","b","","c"]`},
		{`(async()=>{const l=[];for await(const x of readline.createInterface({input:fs.createReadStream(at('lines.txt'))})){l.push(x);break}return l})()`, `["a"]`},
		{`require('events').once(readline.createInterface({input:fs.createReadStream(at('list.txt'))}).on('line',()=>{}),'close')`, `[]`},
		{`util.promisify(fs.read)(fs.openSync(at('list.txt')),Buffer.alloc(4),0,4,0).then(r=>[r.bytesRead,String(r.buffer)])`, `[4,"192."]`},
	})
}

// A list that cannot be read blocks the client for whom it is, if nobody listens for that.
func TestUnreadableList(t *testing.T) {
	b := open(t, `
		const lines = require('readline').createInterface({ input: require('fs').createReadStream(__dirname + '/none') });
		lines.on('close', () => next());`)
	if got := b.ask("192.0.2.1"); !strings.Contains(got, "ENOENT: no such file or directory, open '") {
		t.Errorf("got %q", got)
	}
}
