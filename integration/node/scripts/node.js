// What scripts use of Node, as the reason.
const fs = require('fs');
const path = require('path');
const net = require('net');
const util = require('util');
const os = require('os');
const EventEmitter = require('events');
const url = require('url');
const querystring = require('querystring');
const crypto = require('node:crypto');
const dns = require('dns');
const list = require('./list.json');
const helper = require('./helper');

const read = util.promisify(fs.readFile);

async function facts() {
  const blockList = new net.BlockList();
  blockList.addSubnet('10.0.0.0', 8);
  const { address } = await dns.promises.lookup('127.0.0.1');
  const emitter = new EventEmitter();
  setImmediate(() => emitter.emit('ready', 'ready'));
  const [event] = await EventEmitter.once(emitter, 'ready');
  return [
    list.blocked.length, helper.double(21), path.basename(__filename), path.basename(__dirname), path.join('a', '..', 'b'),
    (await read(path.join(__dirname, 'list.json'), 'utf8')).length, fs.existsSync('/nowhere'), fs.statSync(__filename).isFile(),
    net.isIP('::1'), net.isIPv4('1.2.3.4'), blockList.check('10.1.2.3'), util.format('%s:%d %j', 'x', 7, { a: 1 }), util.inspect({ a: ['b'] }),
    typeof os.hostname(), url.parse('http://h:1/p?q=1').port, new URL('http://h/x?y=z').searchParams.get('y'), querystring.stringify({ a: ['b', 'c'] }),
    crypto.createHash('sha1').update('x').digest('hex'), crypto.createHmac('sha256', 'k').update('x').digest('base64'), Buffer.from('é').toString('hex'),
    address, event, typeof process.env.PATH, process.cwd() === path.resolve('.'), typeof setInterval,
    [1, [2]].flat().length, null ?? 'nullish', ({})?.none?.deeper, 2n ** 64n,
  ].join(' ');
}

module.exports.run = function (balancer) {
  balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
    process.nextTick(() => facts().then(next, (error) => next('failed: ' + error.stack)));
  });
};
