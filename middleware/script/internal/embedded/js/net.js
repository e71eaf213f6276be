'use strict';

const EventEmitter = require('events');
const timers = require('timers');
const { coded, invalidType, outOfRange, checkFunction } = require('internal/errors');

// The client's connection as middlewares know it. The addresses are properties of each socket.
function Socket() {
  throw new Error('net.Socket: scripts cannot make connections of their own');
}

Socket.prototype = Object.create(EventEmitter.prototype, {
  constructor: { value: Socket, writable: true, configurable: true, enumerable: false },
});

const define = (object, name, value) =>
  Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
const hidden = (name, value) => define(Socket.prototype, name, value);

// What there is to know of a connection of which no byte was read or written.
for (const [name, value] of Object.entries({
  remoteFamily: 'IPv6', localFamily: 'IPv6', allowHalfOpen: false, connecting: false, pending: false, timeout: undefined,
  destroyed: false, closed: false, errored: null, bytesRead: 0, bytesWritten: 0, bufferSize: 0,
  readable: true, readableFlowing: null, readableEnded: false, readableAborted: false, readableLength: 0, readableHighWaterMark: 16384,
  readableEncoding: null, readableObjectMode: false,
  writable: true, writableEnded: false, writableFinished: false, writableAborted: false, writableLength: 0, writableHighWaterMark: 16384,
  writableNeedDrain: false, writableCorked: 0, writableObjectMode: false,
})) {
  hidden(name, value);
}

Object.defineProperty(Socket.prototype, 'remotePort', { get: binding.remotePort, configurable: true, enumerable: false });
Object.defineProperty(Socket.prototype, 'readyState', {
  get() {
    if (this.readable) {
      return this.writable ? 'open' : 'readOnly';
    }
    return this.writable ? 'writeOnly' : 'closed';
  },
  configurable: true,
  enumerable: false,
});

hidden('address', function () {
  return { address: this.localAddress, family: 'IPv6', port: this.localPort };
});

function hangUp(socket, method, error) {
  if (binding.hangUp(socket, method, error) === false) {
    throw new Error('socket.' + method + ': the connection was let in already and is not the script\'s any more');
  }
}

function set(socket, properties) {
  for (const [name, value] of Object.entries(properties)) {
    define(socket, name, value);
  }
}

hidden('destroy', function (error) {
  if (this.destroyed) {
    return this;
  }
  hangUp(this, 'destroy', error);
  set(this, { destroyed: true, readable: false, writable: false, errored: error || null });
  process.nextTick(() => {
    if (error) {
      binding.failed(error);
      if (this.listenerCount('error') > 0) {
        this.emit('error', error);
      }
    }
    define(this, 'closed', true);
    this.emit('close', Boolean(error));
  });
  return this;
});
hidden('resetAndDestroy', function () { return this.destroy(); });
hidden('destroySoon', function () {
  if (this.writable) {
    this.end();
  }
  if (this.writableFinished) {
    this.destroy();
  } else {
    this.once('finish', this.destroy.bind(this, null));
  }
});

// A client who is blocked gets no byte, so what the script would say last is left out.
hidden('end', function (...args) {
  const callback = args.find((arg) => typeof arg === 'function');
  if (this.writableFinished) {
    if (callback) {
      process.nextTick(callback, coded(Error, 'ERR_STREAM_ALREADY_FINISHED', 'Cannot call end after a stream was finished'));
    }
  } else if (!this.destroyed) {
    if (!this.writableEnded) {
      hangUp(this, 'end');
      set(this, { writable: false, writableEnded: true, _finishing: [] });
      process.nextTick(finish, this);
    }
    if (callback) {
      this._finishing.push(callback);
    }
  }
  return this;
});

hidden('_finishing', []);

// The direction to the client is over.
function finish(socket) {
  const callbacks = socket._finishing;
  define(socket, '_finishing', []);
  if (socket.destroyed) {
    const error = coded(Error, 'ERR_STREAM_DESTROYED', 'Cannot call end after a stream was destroyed');
    callbacks.forEach((callback) => callback(error));
  } else if (!socket.writableFinished) {
    set(socket, { writable: false, writableEnded: true });
    socket.emit('prefinish');
    define(socket, 'writableFinished', true);
    callbacks.forEach((callback) => callback(null));
    socket.emit('finish');
  }
}

// Called when the connection is over: first because of the client, or because it is kept out.
hidden('_closed', function (keptOut) {
  if (keptOut) {
    finish(this);
  }
  if (this.destroyed) {
    return;
  }
  set(this, { readable: false, readableEnded: true });
  this.emit('end');
  finish(this);
  if (!this.destroyed) {
    set(this, { destroyed: true, closed: true });
    this.emit('close', false);
  }
});

function unread(what) {
  return new Error('socket.' + what + ': middlewares decide before any byte is read');
}

hidden('write', function () {
  throw new Error('socket.write: middlewares decide before any byte is sent');
});
hidden('pipe', function () { throw unread('pipe'); });
hidden('read', () => null);
for (const name of ['on', 'addListener', 'prependListener']) {
  const add = EventEmitter.prototype[name];
  hidden(name, function (event, listener) {
    if (event === 'data' || event === 'readable') {
      throw unread('on(\'' + event + '\')');
    }
    if (!this._events) {
      binding.listens(this);
    }
    return add.call(this, event, listener);
  });
}

// What makes no difference before a byte has gone either way.
for (const name of ['setNoDelay', 'setKeepAlive', 'setEncoding', 'ref', 'unref', 'unpipe']) {
  hidden(name, function () { return this; });
}
hidden('cork', () => {});
hidden('uncork', () => {});
hidden('pause', function () { return define(this, 'readableFlowing', false); });
hidden('resume', function () { return define(this, 'readableFlowing', true); });
hidden('isPaused', function () { return this.readableFlowing === false; });

const longestDelay = 2 ** 31 - 1;

// Nothing is read while the client waits, so the time counts from the call. It ends with the decision.
hidden('setTimeout', function (ms, listener) {
  if (this.destroyed) {
    return this;
  }
  this.timeout = ms;
  if (typeof ms !== 'number') {
    throw invalidType('msecs', 'of type number', ms);
  }
  if (!(ms >= 0 && ms < Infinity)) {
    throw outOfRange('msecs', 'a non-negative finite number', ms);
  }
  if (listener !== undefined) {
    checkFunction(listener);
  }
  if (listener && ms === 0) {
    this.removeListener('timeout', listener);
  } else if (listener) {
    this.once('timeout', listener);
  }
  binding.keepTimer(this, ms > 0 ? Number(timers.setTimeout(() => this.emit('timeout'), Math.min(ms, longestDelay))) : 0);
  return this;
});

class SocketAddress {
  constructor(options = {}) {
    if (options === null || typeof options !== 'object') {
      throw invalidType('options', 'of type object', options);
    }
    const { family = 'ipv4', port = 0, flowlabel = 0 } = options;
    const { address = /^ipv6$/i.test(family) ? '::' : '127.0.0.1' } = options;
    binding.blockList().addAddress(address, family); // throws if it is none
    if (!(port >= 0 && port < 65536)) {
      throw coded(RangeError, 'ERR_SOCKET_BAD_PORT', 'options.port should be >= 0 and < 65536.');
    }
    Object.assign(this, { address, port: Number(port), family: family.toLowerCase(), flowlabel });
  }
}

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
