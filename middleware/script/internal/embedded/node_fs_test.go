package embedded

import "testing"

func TestFiles(t *testing.T) {
	expressions(t, map[string]string{
		"fx/list.txt": "192.0.2.1\né\n", "fx/lines.txt": "a\r\nb\n\nc\rd", "fx/sub/a": "", "fx/sub/b": "", "fx/sub/deep/c": "",
	}, `
		const fs=require('fs'),path=require('path'),util=require('util');
		const at=(name)=>path.join(__dirname,'fx',name);
		const code=(f)=>{try{return f()}catch(e){return [e.name,e.message,{...e}]}};
		const cb=(f,...a)=>new Promise(d=>f(...a,(e,...r)=>d(e?[e.name,e.message,{...e}]:r)));
		const pr=(p)=>p.catch(e=>[e.name,e.message,{...e}]);`, [][2]string{
		{`code(()=>fs.readFileSync(at('none')))`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"open"}]`},
		{`code(()=>fs.readFileSync(at('sub')))`, `["Error","EISDIR: is a directory, open '{DIR}/fx/sub'",{"code":"EISDIR","path":"{DIR}/fx/sub","syscall":"open"}]`},
		{`code(()=>fs.readFileSync(at('list.txt/x')))`, `["Error","ENOTDIR: not a directory, open '{DIR}/fx/list.txt/x'",{"code":"ENOTDIR","path":"{DIR}/fx/list.txt/x","syscall":"open"}]`},
		{`code(()=>fs.readFileSync(undefined))`, `["TypeError","The \"path\" argument must be of type string or an instance of URL",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.readFileSync({}))`, `["TypeError","The \"path\" argument must be of type string or an instance of URL",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.readFileSync(''))`, `["Error","ENOENT: no such file or directory, open ''",{"code":"ENOENT","path":"","syscall":"open"}]`},
		{`code(()=>fs.readFileSync(at('list.txt'),'nope'))`, `["TypeError","Unknown encoding: nope",{"code":"ERR_UNKNOWN_ENCODING"}]`},
		{`cb(fs.readFile,at('none'))`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"open"}]`},
		{`cb(fs.readFile,at('sub'))`, `["Error","EISDIR: is a directory, open '{DIR}/fx/sub'",{"code":"EISDIR","path":"{DIR}/fx/sub","syscall":"open"}]`},
		{`code(()=>fs.readFile(at('none')))`, `["TypeError","The \"callback\" argument must be of type function",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.stat(at('none'),7))`, `["TypeError","The \"callback\" argument must be of type function",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`pr(fs.promises.readFile(at('none')))`, `["Error","ENOENT: no such file or directory, open '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"open"}]`},
		{`pr(fs.promises.readFile(at('sub')))`, `["Error","EISDIR: is a directory, open '{DIR}/fx/sub'",{"code":"EISDIR","path":"{DIR}/fx/sub","syscall":"open"}]`},
		{`pr(fs.promises.readFile(null))`, `["TypeError","The \"path\" argument must be of type string or an instance of URL",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`code(()=>fs.statSync(at('none')))`, `["Error","ENOENT: no such file or directory, stat '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"stat"}]`},
		{`cb(fs.stat,at('none'))`, `["Error","ENOENT: no such file or directory, stat '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"stat"}]`},
		{`pr(fs.promises.stat(at('none')))`, `["Error","ENOENT: no such file or directory, stat '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"stat"}]`},
		{`code(()=>fs.readdirSync(at('none')))`, `["Error","ENOENT: no such file or directory, scandir '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"scandir"}]`},
		{`code(()=>fs.readdirSync(at('list.txt')))`, `["Error","ENOTDIR: not a directory, scandir '{DIR}/fx/list.txt'",{"code":"ENOTDIR","path":"{DIR}/fx/list.txt","syscall":"scandir"}]`},
		{`fs.readdirSync(at('sub'))`, `["a","b","deep"]`},
		{`fs.readdirSync(at('sub'),{recursive:true})`, `"throws fs.readdir: recursive: needs runtime node"`},
		{`fs.readdirSync(at('sub'),{recursive:true,withFileTypes:true}).map(e=>[e.name,e.isFile(),e.isDirectory(),path.relative(__dirname,e.parentPath||e.path)])`, `"throws fs.readdir: recursive: needs runtime node"`},
		{`fs.promises.readdir(at(''),{recursive:true}).then(l=>l.sort())`, `"throws fs.readdir: recursive: needs runtime node"`},
		{`code(()=>fs.accessSync(at('none')))`, `["Error","ENOENT: no such file or directory, access '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"access"}]`},
		{`code(()=>fs.accessSync(at('list.txt')))`, `undefined`},
		{`code(()=>fs.accessSync(at('list.txt'),fs.constants.X_OK))`, `["Error","fs.access: whether a file may be written or run: needs runtime node",{}]`},
		{`code(()=>fs.accessSync(at('list.txt'),fs.constants.R_OK|fs.constants.W_OK))`, `["Error","fs.access: whether a file may be written or run: needs runtime node",{}]`},
		{`pr(fs.promises.access(at('list.txt'),fs.constants.X_OK))`, `["Error","fs.access: whether a file may be written or run: needs runtime node",{}]`},
		{`pr(fs.promises.access(at('none')))`, `["Error","ENOENT: no such file or directory, access '{DIR}/fx/none'",{"code":"ENOENT","path":"{DIR}/fx/none","syscall":"access"}]`},
		{`cb(fs.access,at('list.txt'),fs.constants.R_OK)`, `[null]`},
		{`cb(fs.access,at('list.txt'))`, `[null]`},
		{`[fs.existsSync(7), fs.existsSync(at('none')), fs.existsSync(at('sub'))]`, `[false,false,true]`},
		{`code(()=>fs.watchFile(at('none')))`, `["TypeError","The \"listener\" argument must be of type function",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`Object.keys(fs.readdirSync(at('sub'),{withFileTypes:true})[0]).sort()`, `["name","parentPath","path"]`},
	})
}
