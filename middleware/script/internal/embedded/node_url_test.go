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
		{`(()=>{const u=new URL('http://h/a');u.searchParams.append('x','1 2');u.searchParams.set('y','é');u.pathname='/p q';u.hash='z';u.port='81';u.hostname='g';u.protocol='https';u.username='u';u.search+='&k';return u.href})()`, `"https://u@g:81/p%20q?x=1+2&y=%C3%A9&k#z"`},
		{`(()=>{const p=new URLSearchParams('b=1&a=2');p.sort();p.delete('b');p.append('c','~!*()\'');const l=[];p.forEach((v,k)=>l.push(k+v));return [p.toString(),l]})()`, `["a=2&c=%7E%21*%28%29%27",["a2","c~!*()'"]]`},
		{`[URL.name,URLSearchParams.name,new URL('http://h') instanceof URL,Object.prototype.toString.call(new URL('http://h')),Object.prototype.toString.call(new URLSearchParams())]`, `["URL","URLSearchParams",true,"[object URL]","[object URLSearchParams]"]`},
		{`require('util').inspect(new URLSearchParams('a=1&b=2'))`, `"URLSearchParams { a: '1', b: '2' }"`},
		{`['http://h/a b"c'].map(s=>JSON.stringify({...url.parse(s)}))`, `["{\"protocol\":\"http:\",\"slashes\":true,\"auth\":null,\"host\":\"h\",\"port\":null,\"hostname\":\"h\",\"hash\":null,\"search\":null,\"query\":null,\"pathname\":\"/a%20b%22c\",\"path\":\"/a%20b%22c\",\"href\":\"http://h/a%20b%22c\"}"]`},
		{`['http://é.com'].map(s=>JSON.stringify({...url.parse(s)}))`, `["{\"protocol\":\"http:\",\"slashes\":true,\"auth\":null,\"host\":\"xn--9ca.com\",\"port\":null,\"hostname\":\"xn--9ca.com\",\"hash\":null,\"search\":null,\"query\":null,\"pathname\":\"/\",\"path\":\"/\",\"href\":\"http://xn--9ca.com/\"}"]`},
		{`url.parse(7)`, `"throws The \"url\" argument must be of type string. Received type number (7)"`},
		{`qs.unescape('%41%zz')`, `"A%zz"`},
		{`['%E9'].map(s=>qs.unescape(s))`, `["�"]`},
		{`['%41%zz%42'].map(s=>qs.unescape(s))`, `["A%zzB"]`},
		{`qs.stringify({a:Infinity,b:NaN,c:-0,d:1n,e:true,f:null,g:undefined,h:[1,'x',null],i:{},j:'é',k:"!'()*~",l:1e21})`, `"a=&b=&c=0&d=1&e=true&f=&g=&h=1&h=x&h=&i=&j=%C3%A9&k=!'()*~&l=1e%2B21"`},
		{`JSON.stringify(qs.parse('a=%20',null,null,{decodeURIComponent:(s)=>s+'!'}))`, `"{\"a!\":\"%20!\"}"`},
		{`qs.stringify({a:'b c'},null,null,{encodeURIComponent:(s)=>'<'+s+'>'})`, `"<a>=<b c>"`},
		{`[qs.stringify('x'),qs.stringify(7),qs.stringify(null),qs.stringify(['a','b'])]`, `["","","","0=a&1=b"]`},
		{`Object.keys(qs).sort()`, `["decode","encode","escape","parse","stringify","unescape"]`},
	})
}
