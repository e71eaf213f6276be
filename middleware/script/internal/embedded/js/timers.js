'use strict';

const { checkFunction } = require('internal/errors');
const tasks = require('internal/tasks');

// The script runs as long as its config does, so a timer that keeps nothing alive is like any other.
class Timer {
  #start;
  #id;
  constructor(start) {
    this.#start = start;
    this.#id = start();
  }
  ref() { return this; }
  unref() { return this; }
  refresh() {
    clear(this.#id);
    this.#id = this.#start();
    return this;
  }
  [Symbol.toPrimitive]() { return this.#id; }
}

function start(callback, ms, repeat, args) {
  checkFunction(callback);
  return new Timer(() => tasks.wait(native.startTimer(ms, repeat), () => callback(...args), repeat));
}

// A timer may be given by its number, too.
function clear(timer) {
  tasks.stop(Number(timer));
  native.stopTimer(Number(timer));
}

const longest = 2 ** 31 - 1;
const delay = (ms) => (ms >= 1 && ms <= longest ? Number(ms) : 1);

exports.setTimeout = (callback, ms, ...args) => start(callback, delay(ms), false, args);
exports.setInterval = (callback, ms, ...args) => start(callback, delay(ms), true, args);
exports.setImmediate = (callback, ...args) => start(callback, 0, false, args);
exports.clearTimeout = exports.clearInterval = exports.clearImmediate = clear;

exports.promises = {
  setTimeout: (ms, value) => new Promise((resolve) => { exports.setTimeout(resolve, ms, value); }),
  setImmediate: (value) => new Promise((resolve) => { exports.setImmediate(resolve, value); }),
};
for (const name of ['setTimeout', 'setImmediate']) {
  exports[name][Symbol.for('nodejs.util.promisify.custom')] = exports.promises[name];
}
