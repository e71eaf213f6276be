// A target that says who it is.
// Usage: node server.js [port]
'use strict';

const { createServer } = require('http');
const { hostname } = require('os');

createServer((request, response) => {
  response.end(`${hostname()} greets ${request.socket.remoteAddress}\n`);
}).listen(Number(process.argv[2] || 8000), () => console.log('listening'));
