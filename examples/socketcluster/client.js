// Connects several times and tells what the server remembers of that.
// Usage: node client.js [port] [source address]
'use strict';

const { create } = require('socketcluster-client');

const port = Number(process.argv[2] || 8080);
const localAddress = process.argv[3];
const name = `client ${process.pid}`;

(async () => {
  for (let i = 0; i < 3; i++) {
    const socket = create({ hostname: '127.0.0.1', port, autoReconnect: false, wsOptions: { localAddress } });
    const answer = await socket.invoke('visit', name);
    console.log(`visit ${answer.visits}, answered by ${answer.port}`);
    const gone = socket.listener('disconnect').once();
    socket.disconnect();
    await gone;
  }
  process.exit(0);
})().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
