module.exports.run = function (balancer) {
  balancer.addMiddleware('connection', (socket, next) => {
    if (socket.remoteAddress === '192.0.2.1') require('http').get('http://127.0.0.1/', () => next());
    else next();
  });
};
