// What a socket tells, as the reason.
const net = require('net');
const EventEmitter = require('events');

module.exports.run = function (balancer) {
  balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
    socket.own = { kept: true };
    socket.on('error', () => {});
    socket.once('close', () => console.log('closed', socket.remoteAddress));
    next();
  });
  balancer.addMiddleware('connection', function (socket, next) {
    next(JSON.stringify({
      remoteAddress: socket.remoteAddress,
      remoteFamily: socket.remoteFamily,
      remotePort: typeof socket.remotePort,
      localAddress: socket.localAddress,
      localPort: typeof socket.localPort,
      own: socket.own,
      isSocket: socket instanceof net.Socket,
      isEmitter: socket instanceof EventEmitter,
      methods: ['on', 'once', 'removeListener', 'destroy', 'end', 'setTimeout', 'setNoDelay', 'setKeepAlive', 'pause', 'resume', 'address']
        .filter((name) => typeof socket[name] !== 'function'),
      destroyed: socket.destroyed,
      bare: socket.remoteAddress === '127.0.0.2', // what scripts for Node 0.10 compare with
    }));
  });
};
