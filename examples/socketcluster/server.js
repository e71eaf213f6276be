// One of the SocketCluster servers. It counts how often each client has come, in its own memory.
// Usage: node server.js [port]
'use strict';

const { createServer } = require('http');
const { attach } = require('socketcluster-server');

const port = Number(process.argv[2] || 8001);
const visits = new Map();

const server = createServer();
const cluster = attach(server);

async function serve(socket) {
  for await (const request of socket.procedure('visit')) {
    visits.set(request.data, 1 + (visits.get(request.data) || 0));
    request.end({ port, visits: visits.get(request.data) });
  }
}

(async () => {
  for await (const { socket } of cluster.listener('connection')) serve(socket);
})();

server.listen(port, '127.0.0.1', () => console.log(`listening on ${port}`));
