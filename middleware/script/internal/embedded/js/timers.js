'use strict';

const { checkFunction } = require('internal/errors');

// The script runs as long as its config does, so a timer that keeps nothing alive is like any other.
class Timer {
  #start;
  #id;
  constructor(callback, ms, args, repeat) {
    checkFunction(callback);
    this.#start = () => native.startTimer(ms, () => {
      if (repeat) this.refresh(); // so that the callback can stop it
      callback(...args);
    }, this.#id);
    this.refresh();
  }
  ref() { return this; }
  unref() { return this; }
  refresh() {
    this.#id = this.#start();
    return this;
  }
  [Symbol.toPrimitive]() { return this.#id; }
}

const longest = 2 ** 31 - 1;
const delay = (ms) => (ms >= 1 && ms <= longest ? Number(ms) : 1);

exports.setTimeout = (callback, ms, ...args) => new Timer(callback, delay(ms), args);
exports.setInterval = (callback, ms, ...args) => new Timer(callback, delay(ms), args, true);
exports.setImmediate = (callback, ...args) => new Timer(callback, 0, args);
// A timer may be given by its number, too.
exports.clearTimeout = exports.clearInterval = exports.clearImmediate = (timer) => native.stopTimer(Number(timer));

exports.promises = {
  setTimeout: (ms, value) => new Promise((resolve) => { exports.setTimeout(resolve, ms, value); }),
  setImmediate: (value) => new Promise((resolve) => { exports.setImmediate(resolve, value); }),
};
for (const name of ['setTimeout', 'setImmediate']) {
  exports[name][Symbol.for('nodejs.util.promisify.custom')] = exports.promises[name];
}
