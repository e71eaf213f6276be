// A socket.io server with the in-memory adapter: it knows its own sessions only, so every request of a
// client must come to the same process.
// Usage: node server.js NAME PORT
'use strict';

const http = require('http');
const { Server } = require('socket.io');

const [name, port] = process.argv.slice(2);

const server = http.createServer();
const io = new Server(server, { serveClient: false });

// An upgrade waits until the client has had an answer by polling, else a fast one would never poll.
io.engine.use((request, _response, next) => {
  const { upgrade } = request.headers;
  const client = io.engine.clients[request._query.sid];
  if (upgrade && client && !client.asked) client.once('asked', next);
  else next();
});

io.on('connection', (socket) => {
  socket.on('ask', (text, reply) => {
    reply({ text, server: name, pid: process.pid, transport: socket.conn.transport.name });
    socket.conn.asked = true;
    socket.conn.emit('asked');
  });
});

server.listen(Number(port), '127.0.0.1', () => console.log('listening'));
