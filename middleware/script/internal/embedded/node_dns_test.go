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
		{`cb(dns.lookup,'localhost',{all:1})`, `[[{"address":"127.0.0.1","family":4}]]`},
		{`cb(dns.lookup,'bad..host')`, `["Error","getaddrinfo ENOTFOUND bad..host",{"code":"ENOTFOUND","hostname":"bad..host","syscall":"getaddrinfo"}]`},
		{`cb(dns.lookup,'bad..host',{all:true})`, `["Error","getaddrinfo ENOTFOUND bad..host",{"code":"ENOTFOUND","hostname":"bad..host","syscall":"getaddrinfo"}]`},
		{`cb(dns.lookup,'bad host')`, `["Error","getaddrinfo ENOTFOUND bad host",{"code":"ENOTFOUND","hostname":"bad host","syscall":"getaddrinfo"}]`},
		{`cb(dns.lookup,'a..b')`, `["Error","getaddrinfo ENOTFOUND a..b",{"code":"ENOTFOUND","hostname":"a..b","syscall":"getaddrinfo"}]`},
		{`cb(dns.lookup,'::ffff:1.2.3.4')`, `["::ffff:1.2.3.4",6]`},
		{`cb(dns.lookup,'::ffff:1.2.3.4',{family:4})`, `["::ffff:1.2.3.4",6]`},
		{`cb(dns.lookup,'fe80::1%lo')`, `["fe80::1%lo",6]`},
		{`dns.lookup('localhost')`, `"throws The \"callback\" argument must be of type function"`},
		{`dns.lookup('localhost',7)`, `"throws The \"callback\" argument must be of type function"`},
		{`dns.lookup('localhost',{},7)`, `"throws The \"callback\" argument must be of type function"`},
		{`dp.lookup('127.0.0.1',{family:6})`, `{"address":"127.0.0.1","family":4}`},
		{`dns.reverse('127.0.0.1')`, `"throws The \"callback\" argument must be of type function"`},
		{`dp.reverse('x')`, `"throws getHostByAddr EINVAL x"`},
		{`cb(dns.resolve4,'127.0.0.1')`, `["Error","queryA ENOTFOUND 127.0.0.1",{"code":"ENOTFOUND","syscall":"queryA","hostname":"127.0.0.1"}]`},
		{`cb(dns.resolve4,'127.0.0.1',{ttl:true})`, `["Error","dns: how long an answer holds: needs runtime node",{}]`},
		{`cb(dns.resolve4,'::1')`, `["Error","queryA ENOTFOUND ::1",{"code":"ENOTFOUND","syscall":"queryA","hostname":"::1"}]`},
		{`dns.resolve4('x')`, `"throws The \"callback\" argument must be of type function"`},
		{`require('util').promisify(dns.resolve4)('127.0.0.1')`, `"throws queryA ENOTFOUND 127.0.0.1"`},
	})
}
