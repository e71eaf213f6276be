package embedded

import "testing"

// What dns answers is what Node 20 does.
func TestDNSAsNode(t *testing.T) {
	expressions(t, nil, `
		const dns=require('dns'),dp=require('dns/promises');
		const cb=(f,...a)=>new Promise(d=>f(...a,(e,...r)=>d(e?[e.name,e.message,{...e}]:r)));`, [][2]string{
		{`cb(dns.lookup,'127.0.0.1',{family:6})`, `["127.0.0.1",4]`},
		{`cb(dns.lookup,'127.0.0.1',6)`, `["127.0.0.1",4]`},
		{`cb(dns.lookup,'::1',{family:4})`, `["::1",6]`},
		{`cb(dns.lookup,'::1',{family:4,all:true})`, `[[{"address":"::1","family":6}]]`},
		{`cb(dns.lookup,'')`, `[null,4]`},
		{`cb(dns.lookup,'',{all:true})`, `[[]]`},
		{`cb(dns.lookup,null)`, `[null,4]`},
		{`cb(dns.lookup,undefined)`, `[null,4]`},
		{`cb(dns.lookup,'',{family:6})`, `[null,6]`},
		{`cb(dns.lookup,7)`, `"throws The \"hostname\" argument must be of type string. Received type number (7)"`},
		{`cb(dns.lookup,'localhost',{family:5})`, `"throws The argument 'options.family' must be one of: 0, 4, 6. Received 5"`},
		{`cb(dns.lookup,'localhost',{all:1})`, `[[{"address":"127.0.0.1","family":4}]]`},
		{`cb(dns.lookup,'bad..host')`, `["Error","getaddrinfo ENOTFOUND bad..host",{"code":"ENOTFOUND","errno":-3008,"hostname":"bad..host","syscall":"getaddrinfo"}]`},
		{`cb(dns.lookup,'bad..host',{all:true})`, `["Error","getaddrinfo ENOTFOUND bad..host",{"code":"ENOTFOUND","errno":-3008,"hostname":"bad..host","syscall":"getaddrinfo"}]`},
		{`cb(dns.lookup,'bad host')`, `["Error","getaddrinfo ENOTFOUND bad host",{"code":"ENOTFOUND","errno":-3008,"hostname":"bad host","syscall":"getaddrinfo"}]`},
		{`cb(dns.lookup,'a..b')`, `["Error","getaddrinfo ENOTFOUND a..b",{"code":"ENOTFOUND","errno":-3008,"hostname":"a..b","syscall":"getaddrinfo"}]`},
		{`cb(dns.lookup,'::ffff:1.2.3.4')`, `["::ffff:1.2.3.4",6]`},
		{`cb(dns.lookup,'::ffff:1.2.3.4',{family:4})`, `["::ffff:1.2.3.4",6]`},
		{`cb(dns.lookup,'fe80::1%lo')`, `["fe80::1%lo",6]`},
		{`dns.lookup('localhost')`, `"throws The \"callback\" argument must be of type function. Received undefined"`},
		{`dns.lookup('localhost',7)`, `"throws The \"callback\" argument must be of type function. Received undefined"`},
		{`dns.lookup('localhost',{},7)`, `"throws The \"callback\" argument must be of type function. Received type number (7)"`},
		{`dp.lookup('127.0.0.1',{family:6})`, `{"address":"127.0.0.1","family":4}`},
		{`dp.lookup('')`, `{"address":null,"family":4}`},
		{`dns.reverse('x',()=>{})`, `"throws getHostByAddr EINVAL x"`},
		{`dns.reverse('',()=>{})`, `"throws getHostByAddr EINVAL "`},
		{`dns.reverse(undefined,()=>{})`, `"throws The \"name\" argument must be of type string. Received undefined"`},
		{`dns.reverse('127.0.0.1')`, `"throws The \"callback\" argument must be of type function. Received undefined"`},
		{`dp.reverse('x')`, `"throws getHostByAddr EINVAL x"`},
		{`dp.reverse(7)`, `"throws The \"name\" argument must be of type string. Received type number (7)"`},
		{`cb(dns.resolve4,'127.0.0.1')`, `["Error","queryA ENOTFOUND 127.0.0.1",{"code":"ENOTFOUND","syscall":"queryA","hostname":"127.0.0.1"}]`},
		{`cb(dns.resolve4,'127.0.0.1',{ttl:true})`, `"throws dns: how long an answer holds: needs runtime node"`},
		{`cb(dns.resolve6,'::1')`, `["Error","queryAaaa EBADNAME ::1",{"code":"EBADNAME","syscall":"queryAaaa","hostname":"::1"}]`},
		{`cb(dns.resolve4,'::1')`, `["Error","queryA EBADNAME ::1",{"code":"EBADNAME","syscall":"queryA","hostname":"::1"}]`},
		{`cb(dns.resolve6,'127.0.0.1')`, `["Error","queryAaaa ENOTFOUND 127.0.0.1",{"code":"ENOTFOUND","syscall":"queryAaaa","hostname":"127.0.0.1"}]`},
		{`dns.resolve4(7,()=>{})`, `"throws The \"name\" argument must be of type string. Received type number (7)"`},
		{`dns.resolve4('x')`, `"throws The \"callback\" argument must be of type function. Received undefined"`},
		{`require('util').promisify(dns.resolve4)('127.0.0.1')`, `"throws queryA ENOTFOUND 127.0.0.1"`},
	})
}
