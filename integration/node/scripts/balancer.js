// What a script may do with the balancer.
module.exports.run = function (balancer) {
  const facts = [balancer.MIDDLEWARE_CONNECTION];
  try {
    balancer.addMiddleware('request', () => {});
  } catch (error) {
    facts.push(error instanceof TypeError);
  }
  for (const name of ['addMiddleware', 'isTargetActive', 'deactivateTarget', 'setTargets', 'close', 'on', 'once', 'emit']) {
    facts.push(typeof balancer[name]);
  }
  balancer.on('notice', (reason) => console.log('noticed', reason));
  balancer.on('error', (error) => console.log('failed', error.message));
  balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
    if (socket.remoteAddress.endsWith('.3')) {
      throw new Error('to be noticed');
    }
    next(facts.join(' '));
  });
};
