package embedded

import "testing"

// What url and querystring make of text is what Node 20 does.
func TestURL(t *testing.T) {
	expressions(t, nil, `
		const url=require('url'),qs=require('querystring');`, [][2]string{
		{`[new URL('http://[::1]:1/')].map(u=>[u.hostname,u.host,u.port,u.href])`, `[["[::1]","[::1]:1","1","http://[::1]:1/"]]`},
		{`['http://a:8080/?q#h'].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"http://a:8080/?q#h\",\"http:\",\"\",\"\",\"a:8080\",\"a\",\"8080\",\"/\",\"?q\",\"#h\",\"http://a:8080\"]"]`},
		{`['https://u:p@h:1/p'].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"https://u:p@h:1/p\",\"https:\",\"u\",\"p\",\"h:1\",\"h\",\"1\",\"/p\",\"\",\"\",\"https://h:1\"]"]`},
		{`['file:///a/b'].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"file:///a/b\",\"file:\",\"\",\"\",\"\",\"\",\"\",\"/a/b\",\"\",\"\",\"null\"]"]`},
		{`['mailto:a@b'].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"mailto:a@b\",\"mailto:\",\"\",\"\",\"\",\"\",\"\",\"a@b\",\"\",\"\",\"null\"]"]`},
		{`['  http://h  '].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"http://h/\",\"http:\",\"\",\"\",\"h\",\"h\",\"\",\"/\",\"\",\"\",\"http://h\"]"]`},
		{`['http://h/a\tb'].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"http://h/ab\",\"http:\",\"\",\"\",\"h\",\"h\",\"\",\"/ab\",\"\",\"\",\"http://h\"]"]`},
		{`['http://h:0443'].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"http://h:443/\",\"http:\",\"\",\"\",\"h:443\",\"h\",\"443\",\"/\",\"\",\"\",\"http://h:443\"]"]`},
		{`['http://[::FFFF:1.2.3.4]/'].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"http://[::ffff:102:304]/\",\"http:\",\"\",\"\",\"[::ffff:102:304]\",\"[::ffff:102:304]\",\"\",\"/\",\"\",\"\",\"http://[::ffff:102:304]\"]"]`},
		{`['data:text/plain,x'].map(s=>{try{const u=new URL(s);return [u.href,u.protocol,u.username,u.password,u.host,u.hostname,u.port,u.pathname,u.search,u.hash,u.origin]}catch(e){return [s,e.message]}}).map(x=>JSON.stringify(x))`, `["[\"data:text/plain,x\",\"data:\",\"\",\"\",\"\",\"\",\"\",\"text/plain,x\",\"\",\"\",\"null\"]"]`},
		{`[''].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `[",TypeError,ERR_INVALID_URL,Invalid URL,"]`},
		{`['x'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["x,TypeError,ERR_INVALID_URL,Invalid URL,x"]`},
		{`['http:///x'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["http://x/"]`},
		{`['//h/x'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["//h/x,TypeError,ERR_INVALID_URL,Invalid URL,//h/x"]`},
		{`['http://h:99999'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["http://h:99999,TypeError,ERR_INVALID_URL,Invalid URL,http://h:99999"]`},
		{`['http://a b/'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["http://a b/,TypeError,ERR_INVALID_URL,Invalid URL,http://a b/"]`},
		{`['http://[::1'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["http://[::1,TypeError,ERR_INVALID_URL,Invalid URL,http://[::1"]`},
		{`['http://h:x'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["http://h:x,TypeError,ERR_INVALID_URL,Invalid URL,http://h:x"]`},
		{`['/a'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["/a,TypeError,ERR_INVALID_URL,Invalid URL,/a"]`},
		{`[':'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `[":,TypeError,ERR_INVALID_URL,Invalid URL,:"]`},
		{`['http://%00/'].map(s=>{try{return new URL(s).href}catch(e){return [s,e.name,e.code,e.message,e.input].join()}})`, `["http://%00/,TypeError,ERR_INVALID_URL,Invalid URL,http://%00/"]`},
		{`[['b','http://h/a'],['../b','http://h/a/c/d'],['/b?x','http://h/a?y#z'],['//g/x','https://h/'],['?q','http://h/a'],['#f','http://h/a?b'],['http://g','http://h'],['','http://h/a?b#c']].map(([a,b])=>new URL(a,b).href)`, `["http://h/b","http://h/a/b","http://h/b?x","https://g/x","http://h/a?q","http://h/a?b#f","http://g/","http://h/a?b"]`},
		{`[URL.canParse&&URL.canParse('http://a'),URL.canParse('x'),URL.canParse('x','http://h')]`, `[true,false,true]`},
		{`['href','search','port'].map((name)=>{const u=new URL('http://h/a');try{u[name]='x'}catch(e){return e.message}})`, `["URL.href: needs runtime node","URL.search: needs runtime node","URL.port: needs runtime node"]`},
		{`(()=>{const p=new URLSearchParams([['a',2],['c','~!*()\' é'],['a','x']]);const l=[];p.forEach((v,k)=>l.push(k+v));return [p.toString(),l,p.get('a'),p.getAll('a'),p.get('x'),p.has('c'),p.size]})()`, `["a=2&c=%7E%21*%28%29%27+%C3%A9&a=x",["a2","c~!*()' é","ax"],"2",["2","x"],null,true,3]`},
		{`[undefined, 1, '2'].map((value) => new URLSearchParams('a=1').has('a', value))`, `[true,true,false]`},
		{`new URLSearchParams('a=1').append('b',2)`, `"throws URLSearchParams.append: needs runtime node"`},
		{`[URL.name,URLSearchParams.name,new URL('http://h') instanceof URL,Object.prototype.toString.call(new URL('http://h')),Object.prototype.toString.call(new URLSearchParams())]`, `["URL","URLSearchParams",true,"[object URL]","[object URLSearchParams]"]`},
		{`['/x?a=1#h', '//h/x', 'HTTP://u:p%20@[::1]:81', 'redis://h?', ''].map((s) => { const u = url.parse(s); return [u.protocol, u.auth, u.host, u.hostname, u.port, u.path, u.hash, u.href].join('|'); })`, `["|||||/x?a=1|#h|/x?a=1#h","|||||//h/x||//h/x","http:|u:p |[::1]:81|::1|81|/||http://u:p%20@[::1]:81/","redis:||h|h||?||redis://h?","|||||||"]`},
		{`url.parse(7)`, `"throws The \"url\" argument must be of type string"`},
		{`qs.unescape('%41%zz')`, `"A%zz"`},
		{`['%E9'].map(s=>qs.unescape(s))`, `["�"]`},
		{`['%41%zz%42'].map(s=>qs.unescape(s))`, `["A%zzB"]`},
		{`qs.stringify({a:Infinity,b:NaN,c:-0,d:1n,e:true,f:null,g:undefined,h:[1,'x',null],i:{},j:'é',k:"!'()*~",l:1e21})`, `"a=&b=&c=0&d=1&e=true&f=&g=&h=1&h=x&h=&i=&j=%C3%A9&k=!'()*~&l=1e%2B21"`},
		{`[qs.stringify('x'),qs.stringify(7),qs.stringify(null),qs.stringify(['a','b'])]`, `["","","","0=a&1=b"]`},
		{`Object.keys(qs).sort()`, `["decode","encode","escape","parse","stringify","unescape"]`},
	})
}
