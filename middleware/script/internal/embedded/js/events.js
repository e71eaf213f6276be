'use strict';

const { coded, checkFunction } = require('internal/errors');

// A function, not a class: scripts call EventEmitter.call(this). The listeners are in a property that is not seen, since
// sockets are printed and enumerated. A list is never changed, so that one that is being gone through stays as it is.
function EventEmitter() {
  if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) begin(this);
}

const begin = (emitter) => Object.defineProperty(emitter, '_events', { value: new Map(), writable: true, configurable: true, enumerable: false });
Object.defineProperty(EventEmitter.prototype, '_events', { value: undefined, writable: true });

const keyOf = (name) => (typeof name === 'symbol' ? name : String(name));
const listOf = (emitter, name) => (emitter._events && emitter._events.get(keyOf(name))) || [];

function add(emitter, name, listener, first) {
  checkFunction(listener, 'listener');
  if (!emitter._events) begin(emitter);
  const list = listOf(emitter, name);
  emitter._events.set(keyOf(name), first ? [listener].concat(list) : list.concat([listener]));
  return emitter;
}

function onceOf(emitter, name, listener) {
  checkFunction(listener, 'listener');
  let fired = false; // also by an event that another listener emits meanwhile
  const once = (...args) => {
    if (fired) return undefined;
    fired = true;
    emitter.removeListener(name, once);
    return listener.apply(emitter, args);
  };
  once.listener = listener;
  return once;
}

const methods = {
  on(name, listener) { return add(this, name, listener, false); },
  prependListener(name, listener) { return add(this, name, listener, true); },
  once(name, listener) { return this.on(name, onceOf(this, name, listener)); },
  prependOnceListener(name, listener) { return this.prependListener(name, onceOf(this, name, listener)); },
  removeListener(name, listener) {
    const list = listOf(this, name);
    const at = list.findLastIndex((one) => one === listener || one.listener === listener);
    if (at < 0) return this;
    this._events.set(keyOf(name), list.toSpliced(at, 1));
    if (list.length === 1) this._events.delete(keyOf(name));
    return this;
  },
  removeAllListeners(...names) {
    for (const name of names.length > 0 ? names : this.eventNames()) if (this._events) this._events.delete(keyOf(name));
    return this;
  },
  emit(name, ...args) {
    const list = listOf(this, name);
    if (name === 'error' && list.length === 0) {
      const [error] = args;
      throw error instanceof Error ? error : coded(Error, 'ERR_UNHANDLED_ERROR', 'Unhandled error. (' + require('util').inspect(error) + ')');
    }
    for (const listener of list) listener.apply(this, args);
    return list.length > 0;
  },
  listeners(name) { return listOf(this, name).map((l) => l.listener || l); },
  listenerCount(name) { return listOf(this, name).length; },
  eventNames() { return this._events ? Array.from(this._events.keys()) : []; },
  setMaxListeners() { return this; }, // there are as many as the script adds
};
methods.addListener = methods.on;
methods.off = methods.removeListener;

// They are seen, as in Node: Object.assign(object, EventEmitter.prototype) makes an emitter.
Object.assign(EventEmitter.prototype, methods);

module.exports = Object.assign(EventEmitter, { EventEmitter, defaultMaxListeners: 10 });
