// One of the socket.io servers. It knows the sessions that it began itself, and no others.
// Usage: node server.js [port]
'use strict';

const { createServer } = require('http');
const { Server } = require('socket.io');

const port = Number(process.argv[2] || 8001);

const server = createServer();
const io = new Server(server);

io.on('connection', (socket) => {
  socket.on('who', (reply) => reply({ port, transport: socket.conn.transport.name }));
});

server.listen(port, '127.0.0.1', () => console.log(`listening on ${port}`));
