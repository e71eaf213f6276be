// Clients of socket.io servers: each connects by polling, exchanges messages, upgrades to a WebSocket
// and exchanges messages again. Prints what each has seen as JSON.
// Usage: node clients.js URL CLIENTS ADDRESSES
'use strict';

const http = require('http');
const { io } = require('socket.io-client');

const [url, clients, addresses] = process.argv.slice(2);
const patience = 30000;

// visit resolves with a report and never rejects: what goes wrong is part of the report.
function visit(index) {
  const ip = `127.0.0.${2 + (index % Number(addresses))}`;
  const report = { ip, connected: false, upgradedFrom: '', answers: [], errors: [] };
  const socket = io(url, {
    forceNew: true,
    reconnection: false,
    transports: ['polling', 'websocket'],
    // Without keep-alive each request is a TCP connection of its own.
    agent: new http.Agent({ localAddress: ip, keepAlive: false }),
  });

  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      socket.removeAllListeners();
      socket.close();
      resolve(report);
    };
    const fail = (what, error) => {
      report.errors.push(`${what}: ${error && error.message} ${JSON.stringify((error && error.context && error.context.responseText) || '')}`);
      finish();
    };
    const timer = setTimeout(() => fail('timeout', new Error(`after ${patience} ms`)), patience);
    const ask = async (text) => {
      const answer = await socket.timeout(patience).emitWithAck('ask', text);
      if (answer.text !== text) throw new Error(`asked ${text}, got ${JSON.stringify(answer)}`);
      report.answers.push(answer);
    };

    socket.on('connect_error', (error) => fail('connect_error', error));
    socket.on('disconnect', (reason) => fail('disconnect', new Error(reason)));
    socket.io.engine.once('upgrade', async (transport) => {
      report.upgradedFrom = transport.ws._socket.localAddress;
      try {
        for (let i = 0; i < 5; i++) await ask(`after upgrade ${i}`);
        finish();
      } catch (error) {
        fail('after upgrade', error);
      }
    });
    socket.on('connect', async () => {
      report.connected = true;
      try {
        await ask('before upgrade');
      } catch (error) {
        fail('before upgrade', error);
      }
    });
  });
}

Promise.all(Array.from({ length: Number(clients) }, (_, index) => visit(index)))
  .then((reports) => console.log(JSON.stringify(reports)));
