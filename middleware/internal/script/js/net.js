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
  constructor({ address, family = 'ipv4', port = 0, flowlabel = 0 } = {}) {
    this.address = address === undefined ? (family === 'ipv6' ? '::' : '127.0.0.1') : address;
    this.family = family;
    this.port = port;
    this.flowlabel = flowlabel;
  }
}

class BlockList {
  constructor() {
    Object.defineProperty(this, '_list', { value: binding.blockList(), enumerable: false });
  }

  addAddress(address, family) { this._list.addAddress(...text(address, family)); }

  addRange(start, end, family) {
    const [from, kind] = text(start, family);
    this._list.addRange(from, text(end, family)[0], kind);
  }

  addSubnet(network, prefix, family) {
    const [from, kind] = text(network, family);
    this._list.addSubnet(from, prefix, kind);
  }

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
