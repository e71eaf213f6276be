// A game server: it greets each player with the address that the PROXY protocol header names, and echoes what comes.
// Usage: node server.js [port]
'use strict';

const net = require('net');

const port = Number(process.argv[2] || 7001);
const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

// parseHeader returns a player's address and what comes after the header, or null while the header is not complete.
// It throws for anything else than a header of version 2 for TCP over IPv4 or IPv6.
function parseHeader(data) {
  if (data.length < 16) return null;
  if (!data.subarray(0, 12).equals(signature) || data[12] !== 0x21) throw new Error('no PROXY header');
  const end = 16 + data.readUInt16BE(14);
  if (data.length < end) return null;
  const rest = data.subarray(end);
  if (data[13] === 0x11) return { address: [...data.subarray(16, 20)].join('.'), port: data.readUInt16BE(24), rest };
  if (data[13] === 0x21) {
    const words = Array.from({ length: 8 }, (_, i) => data.readUInt16BE(16 + 2 * i).toString(16));
    return { address: words.join(':'), port: data.readUInt16BE(48), rest };
  }
  throw new Error('neither IPv4 nor IPv6');
}

// Only the balancer may reach a server that takes PROXY headers, since anybody could send any.
net.createServer((socket) => {
  let data = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', function waiting(chunk) {
    data = Buffer.concat([data, chunk]);
    let player;
    try {
      player = parseHeader(data);
    } catch (error) {
      socket.destroy();
      return;
    }
    if (!player) return;
    socket.off('data', waiting);
    socket.write(`welcome ${player.address} to server ${port}\n`);
    socket.write(player.rest);
    socket.pipe(socket);
  });
}).listen(port, '127.0.0.1', () => console.log(`listening on ${port}`));
