// Nobody is decided about before three clients wait.
const waiting = [];

module.exports.run = function (balancer) {
  balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, async function (socket, next) {
    waiting.push(() => next(socket.remoteAddress.endsWith('.2') && 'two of three are enough'));
    await null;
    if (waiting.length === 3) {
      setTimeout(() => waiting.splice(0).forEach((decide) => decide()), 10);
    }
  });
};
