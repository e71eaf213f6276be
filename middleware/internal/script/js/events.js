'use strict';

// A function, not a class: scripts call EventEmitter.call(this).
function EventEmitter() {}

Object.defineProperty(EventEmitter.prototype, '_events', { value: undefined, writable: true });

function check(listener) {
  if (typeof listener !== 'function') {
    throw new TypeError('The "listener" argument must be of type function. Received ' + typeof listener);
  }
}

function add(emitter, name, listener, first) {
  check(listener);
  // A property that is not seen: sockets are printed and enumerated.
  if (!emitter._events) {
    Object.defineProperty(emitter, '_events', { value: new Map(), writable: true, configurable: true, enumerable: false });
  }
  if (emitter._events.has('newListener')) {
    emitter.emit('newListener', name, listener.listener || listener);
  }
  const list = emitter._events.get(name) || [];
  emitter._events.set(name, first ? [listener, ...list] : [...list, listener]);
  return emitter;
}

function wrapOnce(emitter, name, listener) {
  check(listener);
  function once(...args) {
    emitter.removeListener(name, once);
    return listener.apply(emitter, args);
  }
  once.listener = listener;
  return once;
}

const methods = {
  on(name, listener) { return add(this, name, listener, false); },
  addListener(name, listener) { return this.on(name, listener); },
  prependListener(name, listener) { return add(this, name, listener, true); },
  once(name, listener) { return this.on(name, wrapOnce(this, name, listener)); },
  prependOnceListener(name, listener) { return this.prependListener(name, wrapOnce(this, name, listener)); },
  removeListener(name, listener) {
    check(listener);
    const list = this.rawListeners(name);
    let at = list.length - 1;
    while (at >= 0 && list[at] !== listener && list[at].listener !== listener) {
      at--;
    }
    if (at >= 0) {
      list.splice(at, 1);
      if (list.length > 0) {
        this._events.set(name, list);
      } else {
        this._events.delete(name);
      }
      if (this._events.has('removeListener')) {
        this.emit('removeListener', name, listener);
      }
    }
    return this;
  },
  off(name, listener) { return this.removeListener(name, listener); },
  removeAllListeners(name) {
    if (this._events && name === undefined) {
      this._events.clear();
    } else if (this._events) {
      this._events.delete(name);
    }
    return this;
  },
  emit(name, ...args) {
    const list = this._events && this._events.get(name);
    if (!list) {
      if (name === 'error') {
        throw args[0] instanceof Error ? args[0] : new Error('Unhandled error. (' + String(args[0]) + ')');
      }
      return false;
    }
    // Adding and removing make new lists: this one stays as it is while it is gone through.
    for (const listener of list) {
      listener.apply(this, args);
    }
    return true;
  },
  rawListeners(name) { return this._events && this._events.has(name) ? [...this._events.get(name)] : []; },
  listeners(name) { return this.rawListeners(name).map((l) => l.listener || l); },
  listenerCount(name) { return this.rawListeners(name).length; },
  eventNames() { return this._events ? [...this._events.keys()] : []; },
  setMaxListeners(n) { this._maxListeners = n; return this; },
  getMaxListeners() { return this._maxListeners === undefined ? EventEmitter.defaultMaxListeners : this._maxListeners; },
};

for (const [name, value] of Object.entries(methods)) {
  Object.defineProperty(EventEmitter.prototype, name, { value, writable: true, configurable: true, enumerable: false });
}

EventEmitter.defaultMaxListeners = 10;
EventEmitter.EventEmitter = EventEmitter;
EventEmitter.listenerCount = (emitter, name) => emitter.listenerCount(name);
EventEmitter.once = (emitter, name) => new Promise((resolve, reject) => {
  function fail(error) {
    emitter.removeListener(name, done);
    reject(error);
  }
  function done(...args) {
    emitter.removeListener('error', fail);
    resolve(args);
  }
  emitter.once(name, done);
  if (name !== 'error') {
    emitter.once('error', fail);
  }
});

module.exports = EventEmitter;
