// A target that says who it is, and how many visits of the client it remembers.
const net = require('net');

const port = Number(process.argv[2]);
const visits = new Map();

net.createServer((socket) => {
	socket.on('error', () => {});
	socket.once('data', (first) => {
		const client = /\bname=(\w+)/.exec(first)?.[1] ?? 'somebody';
		visits.set(client, (visits.get(client) ?? 0) + 1);
		const text = `target ${port}, visit ${visits.get(client)} of ${client}\n`;
		socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`);
	});
}).listen(port, '127.0.0.1');
