'use strict';

const EventEmitter = require('events');
const timers = require('timers');
const { coded, outOfRange, check, checkFunction } = require('internal/errors');

// set gives an object properties that inspect and Object.keys pass over.
function set(object, properties) {
  for (const [name, value] of Object.entries(properties)) {
    Object.defineProperty(object, name, { value, writable: true, configurable: true, enumerable: false });
  }
  return object;
}

// The direction to the client is over.
function finish(socket) {
  const callbacks = socket._finishing;
  set(socket, { _finishing: [] });
  if (socket.destroyed) {
    const error = coded(Error, 'ERR_STREAM_DESTROYED', 'Cannot call end after a stream was destroyed');
    callbacks.forEach((callback) => callback(error));
  } else if (!socket.writableFinished) {
    set(socket, { writable: false, writableEnded: true });
    socket.emit('prefinish');
    set(socket, { writableFinished: true });
    callbacks.forEach((callback) => callback(null));
    socket.emit('finish');
  }
}

const unread = (what) => new Error('socket.' + what + ': middlewares decide before any byte is read');
const longestDelay = 2 ** 31 - 1;

// The client's connection as middlewares know it. The addresses are properties of each socket.
class Socket extends EventEmitter {
  constructor() {
    throw new Error('net.Socket: scripts cannot make connections of their own');
  }
  get remotePort() { return Socket.ends(this).remotePort; }
  get localAddress() { return Socket.ends(this).localAddress; }
  get localPort() { return Socket.ends(this).localPort; }
  get readyState() {
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }
  address() { return { address: this.localAddress, family: 'IPv6', port: this.localPort }; }
  destroy(error) {
    if (this.destroyed) return this;
    Socket.hangUp(this, 'destroy', error);
    set(this, { destroyed: true, readable: false, writable: false, errored: error || null });
    process.nextTick(() => {
      if (error) {
        Socket.failed(error);
        if (this.listenerCount('error') > 0) this.emit('error', error);
      }
      set(this, { closed: true });
      this.emit('close', Boolean(error));
    });
    return this;
  }
  resetAndDestroy() { return this.destroy(); }
  destroySoon() {
    if (this.writable) this.end();
    if (this.writableFinished) {
      this.destroy();
    } else {
      this.once('finish', this.destroy.bind(this, null));
    }
  }
  // A client who is blocked gets no byte, so what the script would say last is left out.
  end(...args) {
    const callback = args.find((arg) => typeof arg === 'function');
    if (this.writableFinished) {
      if (callback) process.nextTick(callback, coded(Error, 'ERR_STREAM_ALREADY_FINISHED', 'Cannot call end after a stream was finished'));
      return this;
    }
    if (this.destroyed) return this;
    if (!this.writableEnded) {
      Socket.hangUp(this, 'end');
      set(this, { writable: false, writableEnded: true, _finishing: [] });
      process.nextTick(finish, this);
    }
    if (callback) this._finishing.push(callback);
    return this;
  }
  // Called when the connection is over: first because of the client, or because it is kept out.
  _closed(keptOut) {
    if (this._events === undefined) {
      set(this, { destroyed: true });
      return;
    }
    if (keptOut) finish(this);
    if (this.destroyed) return;
    set(this, { readable: false, readableEnded: true });
    this.emit('end');
    finish(this);
    if (this.destroyed) return;
    set(this, { destroyed: true, closed: true });
    this.emit('close', false);
  }
  write() { throw new Error('socket.write: middlewares decide before any byte is sent'); }
  pipe() { throw unread('pipe'); }
  read() { return null; }
  cork() {}
  uncork() {}
  pause() { return set(this, { readableFlowing: false }); }
  resume() { return set(this, { readableFlowing: true }); }
  isPaused() { return this.readableFlowing === false; }
  // Nothing is read while the client waits, so the time counts from the call. It ends with the decision.
  setTimeout(ms, listener) {
    if (this.destroyed) return this;
    this.timeout = ms;
    check(ms, 'number', 'msecs');
    if (!(ms >= 0 && ms < Infinity)) throw outOfRange('msecs', 'a non-negative finite number');
    if (listener !== undefined) checkFunction(listener);
    if (listener && ms === 0) {
      this.removeListener('timeout', listener);
    } else if (listener) {
      this.once('timeout', listener);
    }
    Socket.setTimer(this, ms > 0 ? () => timers.setTimeout(() => this.emit('timeout'), Math.min(ms, longestDelay)) : undefined);
    return this;
  }
}

// What there is to know of a connection of which no byte was read or written.
set(Socket.prototype, {
  remoteAddress: undefined,
  remoteFamily: 'IPv6', localFamily: 'IPv6', allowHalfOpen: false, connecting: false, pending: false, timeout: undefined,
  destroyed: false, closed: false, errored: null, bytesRead: 0, bytesWritten: 0, bufferSize: 0,
  readable: true, readableFlowing: null, readableEnded: false, readableAborted: false, readableLength: 0, readableHighWaterMark: 16384,
  readableEncoding: null, readableObjectMode: false,
  writable: true, writableEnded: false, writableFinished: false, writableAborted: false, writableLength: 0, writableHighWaterMark: 16384,
  writableNeedDrain: false, writableCorked: 0, writableObjectMode: false, _finishing: [],
});

for (const name of ['on', 'addListener', 'prependListener']) {
  const add = EventEmitter.prototype[name];
  set(Socket.prototype, {
    [name](event, listener) {
      if (event === 'data' || event === 'readable') throw unread('on(\'' + event + '\')');
      if (this._events === undefined) Socket.listens(this);
      return add.call(this, event, listener);
    },
  });
}

// Those of Node's streams look at a state of theirs.
for (const name of ['eventNames', 'removeAllListeners']) set(Socket.prototype, { [name]: EventEmitter.prototype[name] });

// What makes no difference before a byte has gone either way.
for (const name of ['setNoDelay', 'setKeepAlive', 'setEncoding', 'ref', 'unref', 'unpipe']) {
  set(Socket.prototype, { [name]() { return this; } });
}

module.exports = { Socket };
