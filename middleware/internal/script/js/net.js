'use strict';

const EventEmitter = require('events');

// The client's connection as middlewares know it. The addresses are properties of each socket.
function Socket() {
  throw new Error('net.Socket: scripts cannot make connections of their own');
}

Socket.prototype = Object.create(EventEmitter.prototype, {
  constructor: { value: Socket, writable: true, configurable: true, enumerable: false },
});

const hidden = (name, value) =>
  Object.defineProperty(Socket.prototype, name, { value, writable: true, configurable: true, enumerable: false });

hidden('remoteFamily', 'IPv6');
hidden('localFamily', 'IPv6');
hidden('destroyed', false);
hidden('connecting', false);
hidden('pending', false);
hidden('readable', true);
hidden('writable', true);
hidden('bytesRead', 0);
hidden('bytesWritten', 0);
hidden('timeout', 0);

hidden('address', function () {
  return { address: this.localAddress, family: 'IPv6', port: this.localPort };
});

function hangUp(socket, method) {
  if (binding.hangUp(socket, method) === false) {
    throw new Error('socket.' + method + ': the connection was let in already and is not the script\'s any more');
  }
  socket.destroyed = true;
}

hidden('destroy', function (error) {
  const first = !this.destroyed;
  hangUp(this, 'destroy');
  if (first && error) {
    process.nextTick(() => this.listenerCount('error') > 0 && this.emit('error', error));
  }
  return this;
});
hidden('destroySoon', Socket.prototype.destroy);
hidden('resetAndDestroy', Socket.prototype.destroy);
hidden('end', function () {
  // A client who is blocked gets no byte, so what the script would say last is left out.
  hangUp(this, 'end');
  return this;
});
hidden('write', function () {
  throw new Error('socket.write: middlewares decide before any byte is sent');
});
hidden('pipe', function () {
  throw new Error('socket.pipe: middlewares decide before any byte is read');
});

// What makes no difference before a byte has gone either way.
for (const name of ['setNoDelay', 'setKeepAlive', 'setEncoding', 'pause', 'resume', 'ref', 'unref', 'cork', 'uncork', 'unpipe']) {
  hidden(name, function () { return this; });
}
hidden('read', () => null);
hidden('setTimeout', function (ms, listener) {
  this.timeout = ms;
  if (listener) {
    this.once('timeout', listener);
  }
  return this;
});

// Called when the connection is over.
hidden('_closed', function () {
  this.destroyed = true;
  this.emit('end');
  this.emit('close', false);
});

class SocketAddress {
  constructor(options = {}) {
    if (options === null || typeof options !== 'object') {
      throw coded(new TypeError('The "options" argument must be of type object'), 'ERR_INVALID_ARG_TYPE');
    }
    const { family = 'ipv4', port = 0, flowlabel = 0 } = options;
    const { address = /^ipv6$/i.test(family) ? '::' : '127.0.0.1' } = options;
    binding.blockList().addAddress(address, family); // throws if it is none
    if (!(port >= 0 && port < 65536)) {
      throw coded(new RangeError('options.port should be >= 0 and < 65536.'), 'ERR_SOCKET_BAD_PORT');
    }
    Object.assign(this, { address, port: Number(port), family: family.toLowerCase(), flowlabel });
  }
}

const coded = (error, code) => Object.assign(error, { code });

class BlockList {
  constructor() {
    Object.defineProperty(this, '_list', { value: binding.blockList(), enumerable: false });
  }

  addAddress(address, family) { this._list.addAddress(...text(address, family)); }

  addRange(start, end, family) { this._list.addRange(...text(start, family), ...text(end, family)); }

  addSubnet(network, prefix, family) { this._list.addSubnet(...text(network, family), prefix); }

  check(address, family) { return this._list.check(...text(address, family)); }

  get rules() { return this._list.rules(); }

  static isBlockList(value) { return value instanceof BlockList; }
}

function text(address, family = 'ipv4') {
  return address instanceof SocketAddress ? [address.address, address.family] : [address, family];
}

function unavailable(name) {
  return function () {
    throw new Error('net.' + name + ': scripts cannot make connections or servers of their own');
  };
}

module.exports = {
  Socket,
  Stream: Socket,
  SocketAddress,
  BlockList,
  isIP: (s) => binding.isIP(String(s)),
  isIPv4: (s) => binding.isIP(String(s)) === 4,
  isIPv6: (s) => binding.isIP(String(s)) === 6,
  connect: unavailable('connect'),
  createConnection: unavailable('createConnection'),
  createServer: unavailable('createServer'),
  Server: unavailable('Server'),
};
