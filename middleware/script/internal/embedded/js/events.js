'use strict';

const errorMonitor = Symbol('events.errorMonitor');
const errors = () => require('internal/errors');

// A property that is not seen: sockets are printed and enumerated.
function begin(emitter) {
  Object.defineProperty(emitter, '_events', { value: new Map(), writable: true, configurable: true, enumerable: false });
}

// A function, not a class: scripts call EventEmitter.call(this).
function EventEmitter() {
  if (this._events === undefined || this._events === Object.getPrototypeOf(this)._events) begin(this);
}

Object.defineProperty(EventEmitter.prototype, '_events', { value: undefined, writable: true });

function check(listener) {
  if (typeof listener !== 'function') throw errors().invalidType('listener', 'of type function', listener);
}

const keyOf = (name) => (typeof name === 'string' || typeof name === 'symbol' ? name : String(name));

// An entry has the listeners of an event. One that is being gone through stays as it is, and another takes its place.
function entryOf(emitter, key) {
  const entry = emitter._events.get(key);
  if (entry && entry.emitting === 0) return entry;
  const own = entry ? { list: entry.list.slice(), wrapped: entry.wrapped, emitting: 0 } : { list: [], wrapped: 0, emitting: 0 };
  emitter._events.set(key, own);
  return own;
}

function add(emitter, name, listener, first) {
  check(listener);
  if (!emitter._events) begin(emitter);
  if (emitter._events.has('newListener')) {
    emitter.emit('newListener', name, listener.listener || listener);
  }
  const entry = entryOf(emitter, keyOf(name));
  if (listener.listener) entry.wrapped++;
  if (first) {
    entry.list.unshift(listener);
  } else {
    entry.list.push(listener);
  }
  return emitter;
}

function wrapOnce(emitter, name, listener) {
  check(listener);
  let fired = false;
  function once(...args) {
    if (fired) return undefined;
    fired = true;
    remove(emitter, name, once, true);
    return listener.apply(emitter, args);
  }
  once.listener = listener;
  return once;
}

// Finds the last one. The engine's own search is fast, and tells nothing of what is wrapped by once.
function find({ list, wrapped }, listener, exact) {
  const found = list.lastIndexOf(listener);
  if (wrapped > 0 && !exact) {
    for (let i = list.length - 1; i > found; i--) {
      if (list[i].listener === listener) return i;
    }
  }
  return found;
}

function remove(emitter, name, listener, exact) {
  const key = keyOf(name);
  const known = emitter._events && emitter._events.get(key);
  const at = known ? find(known, listener, exact) : -1;
  if (at < 0) return;
  const entry = entryOf(emitter, key);
  const [removed] = entry.list.splice(at, 1);
  if (removed.listener) entry.wrapped--;
  if (entry.list.length === 0) emitter._events.delete(key);
  if (emitter._events.has('removeListener')) {
    emitter.emit('removeListener', name, removed.listener || listener);
  }
}

function removeAll(emitter, key) {
  if (!emitter._events.has('removeListener')) {
    emitter._events.delete(key);
    return;
  }
  for (const listener of emitter.rawListeners(key).reverse()) {
    remove(emitter, key, listener, true);
  }
}

function unhandled(error) {
  if (error instanceof Error) return error;
  const made = errors().coded(Error, 'ERR_UNHANDLED_ERROR', 'Unhandled error. (' + require('util').inspect(error) + ')');
  return Object.assign(made, { context: error });
}

function checkMost(name, n) {
  if (typeof n !== 'number') throw errors().invalidType(name, 'of type number', n);
  if (!(n >= 0)) throw errors().outOfRange(name, '>= 0', n);
}

const methods = {
  on(name, listener) { return add(this, name, listener, false); },
  prependListener(name, listener) { return add(this, name, listener, true); },
  once(name, listener) { return this.on(name, wrapOnce(this, name, listener)); },
  prependOnceListener(name, listener) { return this.prependListener(name, wrapOnce(this, name, listener)); },
  removeListener(name, listener) {
    check(listener);
    remove(this, name, listener, false);
    return this;
  },
  removeAllListeners(name) {
    if (!this._events) return this;
    if (arguments.length > 0) {
      removeAll(this, keyOf(name));
    } else if (this._events.has('removeListener')) {
      for (const key of this.eventNames()) {
        if (key !== 'removeListener') removeAll(this, key);
      }
      this._events.clear();
    } else {
      this._events.clear();
    }
    return this;
  },
  emit(name, ...args) {
    const events = this._events;
    if (name === 'error' && events && events.has(errorMonitor)) this.emit(errorMonitor, ...args);
    const entry = events && events.get(keyOf(name));
    if (!entry) {
      if (name === 'error') throw unhandled(args[0]);
      return false;
    }
    entry.emitting++;
    try {
      for (const listener of entry.list) {
        listener.apply(this, args);
      }
    } finally {
      entry.emitting--;
    }
    return true;
  },
  rawListeners(name) {
    const entry = this._events && this._events.get(keyOf(name));
    return entry ? entry.list.slice() : [];
  },
  listeners(name) { return this.rawListeners(name).map((l) => l.listener || l); },
  listenerCount(name, listener) {
    if (typeof listener === 'function') return this.listeners(name).filter((l) => l === listener).length;
    const entry = this._events && this._events.get(keyOf(name));
    return entry ? entry.list.length : 0;
  },
  eventNames() { return this._events ? Reflect.ownKeys(Object.fromEntries(this._events)) : []; },
  setMaxListeners(n) {
    checkMost('setMaxListeners', n);
    Object.defineProperty(this, '_maxListeners', { value: n, writable: true, configurable: true, enumerable: false });
    return this;
  },
  getMaxListeners() { return this._maxListeners === undefined ? EventEmitter.defaultMaxListeners : this._maxListeners; },
};
methods.addListener = methods.on;
methods.off = methods.removeListener;

// They are seen, as in Node: Object.assign(object, EventEmitter.prototype) makes an emitter.
Object.assign(EventEmitter.prototype, methods);

// Listens on what has on and off, or addEventListener. It returns what stops that.
function listen(emitter, name, listener) {
  if (emitter && typeof emitter.on === 'function') {
    emitter.on(name, listener);
    return () => emitter.removeListener(name, listener);
  }
  if (emitter && typeof emitter.addEventListener === 'function') {
    emitter.addEventListener(name, listener);
    return () => emitter.removeEventListener(name, listener);
  }
  throw errors().invalidType('emitter', 'an instance of EventEmitter', emitter);
}

function signalOf(options) {
  const { signal } = options;
  if (signal !== undefined && !(signal && typeof signal === 'object' && 'aborted' in signal)) {
    throw errors().invalidType('options.signal', 'an instance of AbortSignal', signal);
  }
  if (signal && signal.aborted) throw new (errors().AbortError)(signal.reason);
  return signal;
}

async function once(emitter, name, options = {}) {
  const signal = signalOf(options);
  const stops = [];
  try {
    return await new Promise((resolve, reject) => {
      stops.push(listen(emitter, name, (...args) => resolve(args)));
      if (name !== 'error' && typeof emitter.on === 'function') stops.push(listen(emitter, 'error', reject));
      if (signal) stops.push(listen(signal, 'abort', () => reject(new (errors().AbortError)(signal.reason))));
    });
  } finally {
    stops.forEach((stop) => stop());
  }
}

// An asynchronous iterator over what an emitter emits.
function on(emitter, name, options = {}) {
  const signal = signalOf(options);
  const events = [], waiting = [], stops = [];
  let failure = null, finished = false;

  function close() {
    stops.splice(0).forEach((stop) => stop());
    finished = true;
    waiting.splice(0).forEach(({ resolve }) => resolve({ value: undefined, done: true }));
    return Promise.resolve({ value: undefined, done: true });
  }
  function fail(error) {
    const first = waiting.shift();
    if (first) {
      first.reject(error);
    } else {
      failure = { error };
    }
    close();
  }
  stops.push(listen(emitter, name, (...args) => {
    const first = waiting.shift();
    if (first) {
      first.resolve({ value: args, done: false });
    } else {
      events.push(args);
    }
  }));
  if (name !== 'error' && typeof emitter.on === 'function') stops.push(listen(emitter, 'error', fail));
  for (const end of options.close || []) stops.push(listen(emitter, end, close));
  if (signal) stops.push(listen(signal, 'abort', () => fail(new (errors().AbortError)(signal.reason))));

  return {
    next() {
      if (events.length > 0) return Promise.resolve({ value: events.shift(), done: false });
      if (failure) {
        const { error } = failure;
        failure = null;
        return Promise.reject(error);
      }
      if (finished) return close();
      return new Promise((resolve, reject) => { waiting.push({ resolve, reject }); });
    },
    return: close,
    throw(error) {
      if (!(error instanceof Error)) throw errors().invalidType('EventEmitter.AsyncIterator', 'an instance of Error', error);
      fail(error);
    },
    [Symbol.asyncIterator]() { return this; },
  };
}

let most = 10;
Object.defineProperty(EventEmitter, 'defaultMaxListeners', {
  get: () => most,
  set(n) {
    checkMost('defaultMaxListeners', n);
    most = n;
  },
  enumerable: true,
});

Object.assign(EventEmitter, {
  EventEmitter,
  errorMonitor,
  once,
  on,
  listenerCount: (emitter, name) => emitter.listenerCount(name),
  getEventListeners: (emitter, name) => emitter.listeners(name),
  getMaxListeners: (emitter) => emitter.getMaxListeners(),
  setMaxListeners(n = EventEmitter.defaultMaxListeners, ...emitters) {
    checkMost('setMaxListeners', n);
    if (emitters.length === 0) EventEmitter.defaultMaxListeners = n;
    for (const emitter of emitters) {
      if (emitter instanceof EventEmitter) emitter.setMaxListeners(n);
    }
  },
});

module.exports = EventEmitter;
