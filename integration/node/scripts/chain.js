// Several middlewares, in order; the first one that blocks ends the chain. They share the socket and the module.
let asked = 0;
const order = [];

module.exports.run = function (balancer) {
  const add = (name, middleware) => balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
    order.push(name);
    middleware(socket, next);
  });
  add('first', (socket, next) => {
    socket.number = ++asked;
    next();
  });
  add('second', (socket, next) => setTimeout(() => {
    socket.number += 100;
    next();
  }, 5));
  add('third', (socket, next) => {
    next(socket.remoteAddress === '::ffff:127.0.0.2' ? 'third blocks number ' + socket.number + ' after ' + order.join(' ') : null);
  });
  add('fourth', (socket, next) => next(socket.remoteAddress === '::ffff:127.0.0.3' && 'fourth blocks after ' + order.join(' ')));
};
