'use strict';

const { checkFunction } = require('internal/errors');
const tasks = require('internal/tasks');

const longest = 2 ** 31 - 1;

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
  hasRef() { return true; }
  close() {
    stop(this.#id);
    return this;
  }
  refresh() {
    stop(this.#id);
    this.#id = this.#start();
    return this;
  }
  [Symbol.toPrimitive]() { return this.#id; }
}

function stop(number) {
  tasks.stop(number);
  native.stopTimer(number);
}

function start(callback, ms, repeat, args) {
  checkFunction(callback);
  const delay = ms >= 1 && ms <= longest ? Number(ms) : 1;
  return new Timer(() => tasks.wait(native.startTimer(delay, repeat), () => callback(...args), repeat));
}

function clear(timer) {
  if (timer instanceof Timer) {
    timer.close();
  } else if (typeof timer === 'number' || typeof timer === 'string') {
    stop(Number(timer));
  }
}

exports.setTimeout = (callback, ms, ...args) => start(callback, ms, false, args);
exports.setInterval = (callback, ms, ...args) => start(callback, ms, true, args);
exports.setImmediate = (callback, ...args) => {
  checkFunction(callback);
  return new Timer(() => tasks.wait(native.immediate(), () => callback(...args)));
};
exports.clearTimeout = exports.clearInterval = exports.clearImmediate = clear;

exports.promises = {
  setTimeout: (ms, value) => new Promise((resolve) => { exports.setTimeout(resolve, ms, value); }),
  setImmediate: (value) => new Promise((resolve) => { exports.setImmediate(resolve, value); }),
};
for (const name of ['setTimeout', 'setImmediate']) {
  exports[name][Symbol.for('nodejs.util.promisify.custom')] = exports.promises[name];
}
