// A TCP target: it greets with its name and echoes what it gets.
// Usage: node target.js NAME PORT
'use strict';

const net = require('net');

const [name, port] = process.argv.slice(2);

net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {});
  socket.write(`${name}\n`);
  socket.pipe(socket);
}).listen(Number(port), '127.0.0.1', () => console.log('listening'));
