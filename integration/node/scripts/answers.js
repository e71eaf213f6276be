// What next is given decides, by the last number of the client's address.
const values = [undefined, null, false, '', 0, 'text', new Error('an error'), {}, true, 1];

module.exports.run = function (balancer) {
  balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
    const n = Number(socket.remoteAddress.split('.').pop());
    if (n === 100) {
      next();
    } else {
      next(values[n - 1]);
    }
  });
};
