'use strict';

const { coded, invalidType, outOfRange } = require('internal/errors');
const errorMonitor = Symbol('events.errorMonitor');

// A function, not a class: scripts call EventEmitter.call(this). The listeners are in a property that is not seen, since
// sockets are printed and enumerated. A list is never changed, so that one that is being gone through stays as it is.
function EventEmitter() {
  if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) begin(this);
}

const begin = (emitter) => Object.defineProperty(emitter, '_events', { value: new Map(), writable: true, configurable: true, enumerable: false });
Object.defineProperty(EventEmitter.prototype, '_events', { value: undefined, writable: true });

const keyOf = (name) => (typeof name === 'symbol' ? name : String(name));
const listOf = (emitter, name) => (emitter._events && emitter._events.get(keyOf(name))) || [];

function check(listener) {
  if (typeof listener !== 'function') throw invalidType('listener', 'of type function', listener);
}

function add(emitter, name, listener, first) {
  check(listener);
  if (!emitter._events) begin(emitter);
  if (emitter._events.has('newListener')) emitter.emit('newListener', name, listener.listener || listener);
  const list = listOf(emitter, name);
  emitter._events.set(keyOf(name), first ? [listener].concat(list) : list.concat([listener]));
  return emitter;
}

function wrapOnce(emitter, name, listener) {
  check(listener);
  let fired = false;
  function once(...args) {
    if (fired) return undefined;
    fired = true;
    remove(emitter, name, once);
    return listener.apply(emitter, args);
  }
  once.listener = listener;
  return once;
}

function remove(emitter, name, listener) {
  const list = listOf(emitter, name);
  let at = list.lastIndexOf(listener);
  if (at < 0) at = list.findLastIndex((one) => one.listener === listener);
  if (at < 0) return;
  const left = list.toSpliced(at, 1);
  if (left.length > 0) {
    emitter._events.set(keyOf(name), left);
  } else {
    emitter._events.delete(keyOf(name));
  }
  if (emitter._events.has('removeListener')) emitter.emit('removeListener', name, list[at].listener || listener);
}

function unhandled(error) {
  if (error instanceof Error) return error;
  return coded(Error, 'ERR_UNHANDLED_ERROR', 'Unhandled error. (' + require('util').inspect(error) + ')', { context: error });
}

function checkMost(name, n) {
  if (typeof n !== 'number') throw invalidType(name, 'of type number', n);
  if (!(n >= 0)) throw outOfRange(name, '>= 0', n);
}

const methods = {
  on(name, listener) { return add(this, name, listener, false); },
  prependListener(name, listener) { return add(this, name, listener, true); },
  once(name, listener) { return this.on(name, wrapOnce(this, name, listener)); },
  prependOnceListener(name, listener) { return this.prependListener(name, wrapOnce(this, name, listener)); },
  removeListener(name, listener) {
    check(listener);
    remove(this, name, listener);
    return this;
  },
  removeAllListeners(...names) {
    for (const name of names.length > 0 ? names.slice(0, 1) : this.eventNames()) {
      if (this._events && this._events.has('removeListener') && name !== 'removeListener') {
        for (const listener of this.rawListeners(name).reverse()) remove(this, name, listener);
      } else if (this._events) {
        this._events.delete(keyOf(name));
      }
    }
    return this;
  },
  emit(name, ...args) {
    if (name === 'error' && listOf(this, errorMonitor).length > 0) this.emit(errorMonitor, ...args);
    const list = listOf(this, name);
    if (name === 'error' && list.length === 0) throw unhandled(args[0]);
    for (const listener of list) listener.apply(this, args);
    return list.length > 0;
  },
  rawListeners(name) { return listOf(this, name).slice(); },
  listeners(name) { return listOf(this, name).map((l) => l.listener || l); },
  listenerCount(name, listener) { return typeof listener === 'function' ? this.listeners(name).filter((l) => l === listener).length : listOf(this, name).length; },
  eventNames() { return this._events ? Reflect.ownKeys(Object.fromEntries(this._events)) : []; },
  setMaxListeners(n) {
    checkMost('setMaxListeners', n);
    return Object.defineProperty(this, '_maxListeners', { value: n, writable: true, configurable: true, enumerable: false });
  },
  getMaxListeners() { return this._maxListeners === undefined ? EventEmitter.defaultMaxListeners : this._maxListeners; },
};
methods.addListener = methods.on;
methods.off = methods.removeListener;

// They are seen, as in Node: Object.assign(object, EventEmitter.prototype) makes an emitter.
Object.assign(EventEmitter.prototype, methods);

async function once(emitter, name) {
  let heard, failed;
  try {
    return await new Promise((resolve, reject) => {
      heard = (...args) => resolve(args);
      failed = reject;
      emitter.on(name, heard);
      if (name !== 'error') emitter.on('error', failed);
    });
  } finally {
    emitter.removeListener(name, heard);
    emitter.removeListener('error', failed);
  }
}

module.exports = Object.assign(EventEmitter, {
  EventEmitter, errorMonitor, once, defaultMaxListeners: 10,
  listenerCount: (emitter, name) => emitter.listenerCount(name),
  getEventListeners: (emitter, name) => emitter.listeners(name),
  setMaxListeners: (n, ...emitters) => emitters.forEach((emitter) => emitter.setMaxListeners(n)),
});
