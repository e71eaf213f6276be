'use strict';

const { AbortError, checkFunction } = require('internal/errors');

class Timeout {
  constructor(repeat, ms, callback, args) {
    checkFunction(callback);
    Object.defineProperty(this, '_start', {
      value: () => binding.start(ms, repeat, callback, args),
      enumerable: false,
    });
    this._id = this._start();
  }

  // The script runs as long as its config does, so a timer that keeps nothing alive is like any other.
  ref() { return this; }
  unref() { return this; }
  hasRef() { return true; }
  close() {
    binding.stop(this._id);
    return this;
  }
  refresh() {
    binding.stop(this._id);
    this._id = this._start();
    return this;
  }
  [Symbol.toPrimitive]() { return this._id; }
}

function clear(timer) {
  if (timer instanceof Timeout) {
    timer.close();
  } else if (timer instanceof Immediate) {
    timer.cleared = true;
  } else if (typeof timer === 'number' || typeof timer === 'string') {
    binding.stop(Number(timer));
  }
}

class Immediate {
  constructor(callback, args) {
    checkFunction(callback);
    this.cleared = false;
    binding.immediate(() => this.cleared || callback(...args));
  }
  ref() { return this; }
  unref() { return this; }
  hasRef() { return true; }
}

exports.setTimeout = (callback, ms, ...args) => new Timeout(false, ms, callback, args);
exports.setInterval = (callback, ms, ...args) => new Timeout(true, ms, callback, args);
exports.setImmediate = (callback, ...args) => new Immediate(callback, args);
exports.clearTimeout = clear;
exports.clearInterval = clear;
exports.clearImmediate = clear;

// A promise of what start passes on; a signal takes it back.
function promised(start, stop, { signal } = {}) {
  return new Promise((resolve, reject) => {
    if (signal && signal.aborted) return reject(new AbortError(signal.reason));
    const timer = start(resolve);
    if (signal) {
      signal.addEventListener('abort', () => {
        stop(timer);
        reject(new AbortError(signal.reason));
      }, { once: true });
    }
    return undefined;
  });
}

function every(ms, value, options) {
  let wake = () => {};
  let missed = 0;
  const timer = exports.setInterval(() => { missed++; wake(); }, ms);
  return {
    async next() {
      if (missed === 0) await promised((resolve) => { wake = resolve; }, () => clear(timer), options);
      missed--;
      return { value, done: false };
    },
    async return() {
      clear(timer);
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]() { return this; },
  };
}

const wait = (ms, value, options) => promised((resolve) => exports.setTimeout(resolve, ms, value), clear, options);
exports.promises = {
  setTimeout: wait,
  setImmediate: (value, options) => promised((resolve) => exports.setImmediate(resolve, value), clear, options),
  setInterval: every,
  scheduler: { wait: (ms, options) => wait(ms, undefined, options), yield: () => exports.promises.setImmediate() },
};
for (const name of ['setTimeout', 'setImmediate']) {
  exports[name][Symbol.for('nodejs.util.promisify.custom')] = exports.promises[name];
}
