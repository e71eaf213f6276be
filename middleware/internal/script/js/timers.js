'use strict';

class Timeout {
  constructor(repeat, ms, callback, args) {
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
    if (typeof callback !== 'function') {
      throw new TypeError('The "callback" argument must be of type function.');
    }
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
exports.promises = {
  setTimeout: (ms, value) => new Promise((resolve) => { exports.setTimeout(resolve, ms, value); }),
  setImmediate: (value) => new Promise((resolve) => { exports.setImmediate(resolve, value); }),
};
