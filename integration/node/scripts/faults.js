// What goes wrong, by the last number of the client's address; everybody else is let in.
module.exports.run = function (balancer) {
  balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
    switch (socket.remoteAddress) {
      case '::ffff:127.0.0.2':
        throw new Error('thrown at once');
      case '::ffff:127.0.0.3':
        setTimeout(() => { throw new Error('thrown later'); }, 1);
        return;
      case '::ffff:127.0.0.4':
        next();
        next();
        return;
      case '::ffff:127.0.0.5':
        next('blocked first');
        next();
        return;
      case '::ffff:127.0.0.6':
        return; // and never an answer
      default:
        next();
    }
  });
};
