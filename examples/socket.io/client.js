// Connects several times, by long polling first and a WebSocket then, and tells which server has answered.
// Usage: node client.js [url] [source address]
'use strict';

const { Agent } = require('http');
const { io } = require('socket.io-client');

const url = process.argv[2] || 'http://127.0.0.1:8080';
const localAddress = process.argv[3];

// visit resolves with the port of the server that has answered over both transports.
function visit() {
  return new Promise((resolve, reject) => {
    // Without keep-alive each request of the polling is a connection of its own.
    const agent = new Agent({ keepAlive: false, localAddress });
    const socket = io(url, { forceNew: true, reconnection: false, agent });
    const fail = (error) => {
      socket.close();
      reject(error);
    };
    setTimeout(() => fail(new Error('no answer in 20 seconds')), 20000).unref();
    socket.on('connect_error', fail);
    socket.io.engine.once('upgrade', async () => {
      try {
        const { port, transport } = await socket.timeout(20000).emitWithAck('who');
        if (transport !== 'websocket') throw new Error(`answered over ${transport}`);
        socket.close();
        resolve(port);
      } catch (error) {
        fail(error);
      }
    });
  });
}

(async () => {
  for (let i = 0; i < 3; i++) console.log(`answered by ${await visit()}`);
  process.exit(0);
})().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
