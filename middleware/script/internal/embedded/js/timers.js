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
    if (this.#id !== undefined) stop(this.#id);
    return this;
  }
  refresh() {
    this.close();
    this.#id = this.#start();
    return this;
  }
  [Symbol.toPrimitive]() { return this.#id; }
}
class Timeout extends Timer {}
class Immediate extends Timer {}

function stop(number) {
  tasks.stop(number);
  native.stopTimer(number);
}

function start(callback, ms, repeat, args) {
  checkFunction(callback);
  const delay = ms >= 1 && ms <= longest ? Number(ms) : 1;
  return new Timeout(() => tasks.wait(native.startTimer(delay, repeat), () => callback(...args), repeat));
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
  return new Immediate(() => tasks.wait(native.immediate(), () => callback(...args)));
};
exports.clearTimeout = clear;
exports.clearInterval = clear;
exports.clearImmediate = clear;

async function* every(ms, value) {
  let wake = () => {};
  let missed = 0;
  const timer = exports.setInterval(() => { missed++; wake(); }, ms);
  try {
    for (;;) {
      if (missed === 0) await new Promise((resolve) => { wake = resolve; });
      missed--;
      yield value;
    }
  } finally {
    clear(timer);
  }
}

exports.promises = {
  setTimeout: (ms, value) => new Promise((resolve) => { exports.setTimeout(resolve, ms, value); }),
  setImmediate: (value) => new Promise((resolve) => { exports.setImmediate(resolve, value); }),
  setInterval: every,
};
exports.promises.scheduler = { wait: (ms) => exports.promises.setTimeout(ms), yield: () => exports.promises.setImmediate() };
for (const name of ['setTimeout', 'setImmediate']) {
  exports[name][Symbol.for('nodejs.util.promisify.custom')] = exports.promises[name];
}
