package embedded

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// rudeServer answers by the path as services do that fail.
func rudeServer(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go rudeAnswer(c.(*net.TCPConn))
		}
	}()
	return "http://" + l.Addr().String()
}

var ownHeaders = regexp.MustCompile(`(?im)^(Host|Connection):.*\r\n`)

func rudeAnswer(c *net.TCPConn) {
	defer c.Close()
	text := ""
	for buffer := make([]byte, 4096); !strings.Contains(text, "\r\n\r\n"); {
		n, err := c.Read(buffer)
		if err != nil {
			return
		}
		text += string(buffer[:n])
	}
	const head = "HTTP/1.1 200 OK\r\nConnection: close\r\n"
	whole := func(body string) { fmt.Fprintf(c, "%sContent-Length: %d\r\n\r\n%s", head, len(body), body) }
	wait := func() { _, _ = c.Read(make([]byte, 1)) }
	switch strings.Fields(text)[1] {
	case "/ok":
		whole("hello")
	case "/echo":
		whole(ownHeaders.ReplaceAllString(text, ""))
	case "/reset":
		_ = c.SetLinger(0)
	case "/short":
		fmt.Fprint(c, head+"Content-Length: 10\r\n\r\nhello")
	case "/slow":
		wait()
	case "/drip":
		fmt.Fprint(c, head+"Content-Length: 10\r\n\r\nhello")
		wait()
	case "/bad":
		fmt.Fprint(c, "garbage\r\n\r\n")
	case "/chunked":
		fmt.Fprint(c, head+"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n")
	case "/big":
		whole(strings.Repeat("x", 1000000))
	case "/switch":
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		wait()
	case "/long":
		fmt.Fprint(c, head+"X: "+strings.Repeat("y", 20000)+"\r\n\r\n")
		wait()
	case "/bareswitch":
		fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		wait()
	case "/empty":
		fmt.Fprint(c, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
	}
}

// What http emits, throws and sends is what Node 20 does.
func TestHTTPAsNode(t *testing.T) {
	expressions(t, nil, `
		const http=require('http'),https=require('https');
		const base='`+rudeServer(t)+`';
		const watch=(o,l,pre,...names)=>{for(const n of names)o.on(n,(...a)=>l.push(pre+n+(a[0] instanceof Error?':'+a[0].code+':'+a[0].message:'')))};
		const trace=(path,act,opt={})=>new Promise(d=>{const l=[];const r=http.get(base+path,opt,s=>{watch(s,l,'res.','end','close','error','aborted');if(act.res)act.res(s,r,l);else s.resume()});watch(r,l,'req.','error','close','abort','timeout','finish');if(act.req)act.req(r,l);r.on('close',()=>setTimeout(()=>d(l),10))});
		const fail=(url,o={})=>new Promise(d=>http.get(url,o,()=>d('answer')).on('error',e=>d([e.name,e.message,{...e}])));
		const code=(f)=>{try{return f()}catch(e){return [e.name,e.message,{...e}]}};
		const get=(p,o={})=>new Promise((d,f)=>http.get(base+p,o,d).on('error',f));
		const text=async(r)=>{let s='';for await(const c of r)s+=c;return s};`, [][2]string{
		{`trace('/close',{})`, `["req.finish","req.error:ECONNRESET:socket hang up","req.close"]`},
		{`trace('/reset',{})`, `["req.finish","req.error:ECONNRESET:read ECONNRESET","req.close"]`},
		{`trace('/short',{})`, `["req.finish","res.aborted","req.close","res.error:ECONNRESET:aborted","res.close"]`},
		{`trace('/short',{res:(s)=>{s.resume();s.removeAllListeners('error')}})`, `["req.finish","res.aborted","req.close","res.close"]`},
		{`trace('/bad',{})`, `["req.finish","req.error:HPE_INVALID_CONSTANT:Parse Error: Expected HTTP/, RTSP/ or ICE/","req.close"]`},
		{`trace('/slow',{req:(r)=>setTimeout(()=>r.destroy(),20)})`, `["req.finish","req.error:ECONNRESET:socket hang up","req.close"]`},
		{`trace('/slow',{req:(r)=>setTimeout(()=>r.destroy(new Error('mine')),20)})`, `["req.finish","req.error:undefined:mine","req.close"]`},
		{`trace('/slow',{req:(r)=>setTimeout(()=>r.abort(),20)})`, `["req.finish","req.abort","req.error:ECONNRESET:socket hang up","req.close"]`},
		{`trace('/slow',{req:(r)=>r.destroy()})`, `["req.error:ECONNRESET:socket hang up","req.close"]`},
		{`trace('/slow',{req:(r)=>r.setTimeout(20,()=>r.destroy(new Error('late')))})`, `["req.finish","req.timeout","req.error:undefined:late","req.close"]`},
		{`trace('/slow',{req:(r,l)=>r.on('socket',s=>{s.setTimeout(20);s.on('timeout',()=>{l.push('sock');r.destroy()})})})`, `["req.finish","req.timeout","sock","req.error:ECONNRESET:socket hang up","req.close"]`},
		{`trace('/drip',{res:(s,r)=>{s.resume();setTimeout(()=>r.destroy(),20)}})`, `["req.finish","res.aborted","req.close","res.error:ECONNRESET:aborted","res.close"]`},
		{`trace('/drip',{res:(s,r)=>{s.resume();setTimeout(()=>r.destroy(new Error('own')),20)}})`, `["req.finish","req.error:undefined:own","res.aborted","req.close","res.error:ECONNRESET:aborted","res.close"]`},
		{`trace('/drip',{res:(s,r)=>{s.resume();r.setTimeout(20,()=>r.destroy())}})`, `["req.finish","req.timeout","res.aborted","req.close","res.error:ECONNRESET:aborted","res.close"]`},
		{`trace('/drip',{res:(s,r)=>{s.resume();setTimeout(()=>r.abort(),20)}})`, `["req.finish","req.abort","res.aborted","req.close","res.error:ECONNRESET:aborted","res.close"]`},
		{`trace('/switch',{})`, `["req.finish","req.close"]`},
		{`trace('/long',{})`, `["req.finish","req.error:HPE_HEADER_OVERFLOW:Parse Error: Header overflow","req.close"]`},
		{`trace('/bareswitch',{res:(s,r,l)=>{l.push(s.statusCode);s.resume()}})`, `["req.finish",101,"res.end","req.close","res.close"]`},
		{`get('/ok').then(text)`, `"hello"`},
		{`get('/chunked').then(text)`, `"abcdef"`},
		{`get('/big').then(async r=>(await text(r)).length)`, `1000000`},
		{`get('/empty').then(async r=>[r.statusCode,await text(r)])`, `[204,""]`},
		{`get('/big').then(r=>new Promise(d=>{let n=0;r.on('data',c=>{n+=c.length;r.pause();setTimeout(()=>r.resume(),1)}).on('end',()=>d([n,r.complete,r.readableEnded]))}))`, `[1000000,true,true]`},
		{`get('/big').then(r=>new Promise(d=>{let n=0;r.on('readable',()=>{let c;while((c=r.read(1000))!==null)n+=c.length}).on('end',()=>d(n))}))`, `1000000`},
		{`get('/short').then(text)`, `"throws aborted"`},
		{`get('/short').then(async r=>{try{await text(r)}catch(e){return [e.message,e.code,r.aborted,r.complete]}})`, `["aborted","ECONNRESET",true,false]`},
		{`get('/big').then(r=>{const {PassThrough}=require('stream');return text(r.pipe(new PassThrough()))}).then(s=>s.length)`, `1000000`},
		{`get('/echo').then(text)`, `"GET /echo HTTP/1.1\r\n\r\n"`},
		{`get('/echo',{headers:{'User-Agent':'me','X-A':['1','2']}}).then(text)`, `"GET /echo HTTP/1.1\r\nUser-Agent: me\r\nX-A: 1\r\nX-A: 2\r\n\r\n"`},
		{`new Promise((d,f)=>{const r=http.request(base+'/echo',{method:'POST',headers:{'Content-Length':3}},async s=>d(await text(s)));r.on('error',f);r.end('abc')})`, `"POST /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"`},
		{`fail('http://127.0.0.1:1/')`, `["Error","connect ECONNREFUSED 127.0.0.1:1",{"errno":-111,"code":"ECONNREFUSED","syscall":"connect","address":"127.0.0.1","port":1}]`},
		{`fail('http://bad..host/')`, `["Error","getaddrinfo ENOTFOUND bad..host",{"errno":-3008,"code":"ENOTFOUND","syscall":"getaddrinfo","hostname":"bad..host"}]`},
		{`new Promise(d=>http.get({socketPath:'/nonono',path:'/'}).on('error',e=>d([e.message,{...e}])))`, `["connect ENOENT /nonono",{"errno":-2,"code":"ENOENT","syscall":"connect","address":"/nonono"}]`},
		{`fail(base+'/reset')`, `["Error","read ECONNRESET",{"errno":-104,"code":"ECONNRESET","syscall":"read"}]`},
		{`fail(base + '/',{path:'/a b'})`, `"throws Request path contains unescaped characters"`},
		{`code(()=>http.get({host:'127.0.0.1',port:1,path:'/a b'}))`, `["TypeError","Request path contains unescaped characters",{"code":"ERR_UNESCAPED_CHARACTERS"}]`},
		{`code(()=>http.get({host:'127.0.0.1',port:1,path:'/é'}).on('error',()=>{}).destroy()&&1)`, `1`},
		{`code(()=>http.get({host:'127.0.0.1',port:1,path:'/a\nb'}))`, `["TypeError","Request path contains unescaped characters",{"code":"ERR_UNESCAPED_CHARACTERS"}]`},
		{`code(()=>http.get('https://127.0.0.1/'))`, `["TypeError","Protocol \"https:\" not supported. Expected \"http:\"",{"code":"ERR_INVALID_PROTOCOL"}]`},
		{`code(()=>http.request({method:'A B'}))`, `["TypeError","Method must be a valid HTTP token [\"A B\"]",{"code":"ERR_INVALID_HTTP_TOKEN"}]`},
		{`code(()=>http.request({headers:{'a b':1}}))`, `["TypeError","Header name must be a valid HTTP token [\"a b\"]",{"code":"ERR_INVALID_HTTP_TOKEN"}]`},
		{`code(()=>http.request({headers:{'a':'x\n'}}))`, `["TypeError","Invalid character in header content [\"a\"]",{"code":"ERR_INVALID_CHAR"}]`},
		{`code(()=>http.request({headers:{'a':undefined}}))`, `["TypeError","Invalid value \"undefined\" for header \"a\"",{"code":"ERR_HTTP_INVALID_HEADER_VALUE"}]`},
		{`code(()=>{const r=http.request(base+'/ok');r.on('error',()=>{});r.write(7)})`, `["TypeError","The \"chunk\" argument must be of type string or an instance of Buffer or Uint8Array. Received type number (7)",{"code":"ERR_INVALID_ARG_TYPE"}]`},
		{`new Promise(d=>{const r=http.request(base+'/ok',()=>{});r.on('error',e=>d([e.message,e.code]));r.end();r.write('x')})`, `["write after end","ERR_STREAM_WRITE_AFTER_END"]`},
		{`new Promise(d=>{const r=http.get(base+'/ok');r.on('error',()=>{});r.on('socket',s=>d([typeof s.setTimeout,typeof s.on,r.socket===s]))})`, `["function","function",true]`},
		{`code(()=>{const r=http.request(base+'/ok');r.on('error',()=>{});r.setHeader('X-Y',1);const o=[r.getHeader('x-y'),r.hasHeader('x-y'),r.getHeaderNames().includes('x-y'),r.getHeaders()['x-y'],r.path,r.method,r.host,r.protocol];r.destroy();return o})`, `[1,true,true,1,"/ok","GET","127.0.0.1","http:"]`},
		{`new Promise(d=>{const a=new AbortController();const r=http.get(base+'/slow',{signal:a.signal});r.on('error',e=>d([e.name,e.code,e.message]));setTimeout(()=>a.abort(),10)})`, `["AbortError","ABORT_ERR","The operation was aborted"]`},
		{`(async()=>{const r=await get('/drip');r.setEncoding('utf8');return new Promise(d=>r.on('data',c=>{d(c);r.destroy()}))})()`, `"hello"`},
	})
}

// The certificates of services that must not be trusted.
func TestTLSErrors(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(c, parent *x509.Certificate) []byte {
		c.SerialNumber, c.NotBefore, c.BasicConstraintsValid = big.NewInt(1), time.Now().Add(-time.Hour), true
		if c.NotAfter.IsZero() {
			c.NotAfter = time.Now().Add(time.Hour)
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	root := &x509.Certificate{Subject: pkix.Name{CommonName: "root"}, IsCA: true}
	rootDER := sign(root, root)
	leaf := func() *x509.Certificate {
		return &x509.Certificate{Subject: pkix.Name{CommonName: "leaf"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	}
	self, expired, other := leaf(), leaf(), &x509.Certificate{Subject: pkix.Name{CommonName: "leaf"}, DNSNames: []string{"other.example"}}
	expired.NotAfter = time.Now().Add(-time.Minute)
	serve := func(chain ...[]byte) string {
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: key}}}
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.URL
	}
	head := fmt.Sprintf(`
		const https = require('https');
		const ca = %q;
		const ask = (url, options = {}) => new Promise((done) => {
			https.get(url, options, (r) => done(r.statusCode)).on('error', (e) => done([e.code, e.message]));
		});`, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}))
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	at := func(url, options string) string { return "ask('" + url + "', " + options + ")" }
	signed, late, wrong := serve(sign(leaf(), root)), serve(sign(expired, root)), serve(sign(other, root))
	expressions(t, nil, head, [][2]string{
		{at(serve(sign(self, self)), "{}"), `["DEPTH_ZERO_SELF_SIGNED_CERT","self-signed certificate"]`},
		{at(signed, "{}"), `["UNABLE_TO_VERIFY_LEAF_SIGNATURE","unable to verify the first certificate"]`},
		{at(serve(sign(leaf(), root), rootDER), "{}"), `["SELF_SIGNED_CERT_IN_CHAIN","self-signed certificate in certificate chain"]`},
		{at(late, "{ ca }"), `["CERT_HAS_EXPIRED","certificate has expired"]`},
		{
			at(wrong, "{ ca }"),
			`["ERR_TLS_CERT_ALTNAME_INVALID","Hostname/IP does not match certificate's altnames: IP: 127.0.0.1 is not in the cert's list: "]`,
		},
		{
			at(wrong, "{ ca, servername: 'host.example' }"),
			`["ERR_TLS_CERT_ALTNAME_INVALID","Hostname/IP does not match certificate's altnames: Host: host.example. is not in the cert's altnames: DNS:other.example"]`,
		},
		{at(strings.Replace(plain.URL, "http:", "https:", 1), "{}") + ".then((e) => e[0])", `"EPROTO"`},
		{at(signed, "{ ca }"), `404`},
		{at(signed, "{ agent: new https.Agent({ rejectUnauthorized: false }) }"), `404`},
	})
}

// An answer that is not read does not keep other work from its turn.
func TestHTTPUnread(t *testing.T) {
	b := load(t, decide.Options{}, `
		const http = require('http'), dns = require('dns');
		exports.run = (b) => b.addMiddleware('connection', (socket, next) => {
			http.get('`+rudeServer(t)+`/big', (response) => { response.pause(); dns.lookup('localhost', () => next('answered')); });
		});`)
	for i, reason := range b.together(100) {
		if reason != "answered" {
			t.Errorf("client %d: %q", i, reason)
		}
	}
}

// A service that says nothing more is given up, though its script may wait; one that says a word now and then is not.
func TestHTTPSilence(t *testing.T) {
	defer func(before time.Duration) { silence = before }(silence)
	silence = 300 * time.Millisecond
	over := make(chan struct{}, 10)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if first := make([]byte, 6); readSome(c, first) && string(first) == "GET /s" {
					fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
					for range 6 {
						time.Sleep(silence / 3)
						fmt.Fprint(c, "x")
					}
				}
				for buffer := make([]byte, 4096); readSome(c, buffer); {
				}
				over <- struct{}{}
			}()
		}
	}()
	b := open(t, `
		require('http').get('http://`+l.Addr().String()+`' + (socket.remoteAddress.endsWith('.1') ? '/slow' : '/never'), (response) => {
			let text = '';
			response.on('data', (chunk) => { text += chunk; }).on('end', () => next(text)).on('error', (e) => next(e.code));
		}).on('error', (e) => next(e.code + ' ' + e.message));`)
	b.want("192.0.2.1", "xxxxxx")
	b.want("192.0.2.2", "ETIMEDOUT read ETIMEDOUT")
	for range 2 {
		<-over
	}
}

func readSome(c net.Conn, buffer []byte) bool {
	n, err := c.Read(buffer)
	return n > 0 && err == nil
}
