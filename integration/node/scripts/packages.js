// A block list with two packages of npm's.
const ipaddr = require('ipaddr.js');
const inRange = require('ip-range-check');

const ranges = ['127.0.0.2/31', '127.0.0.128/25', '2001:db8::/32'];
const kinds = ipaddr.process('::ffff:10.1.2.3').range() + ' ' + ipaddr.parse('2001:db8::1').toNormalizedString();

module.exports.run = function (balancer) {
  balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
    const ip = ipaddr.process(socket.remoteAddress);
    if (inRange(socket.remoteAddress, ranges)) {
      next(ip.toString() + ' is in range; ' + kinds);
    } else if (ip.match(ipaddr.parseCIDR('127.0.1.0/24'))) {
      next(ip.toString() + ' matches');
    } else {
      next();
    }
  });
};
