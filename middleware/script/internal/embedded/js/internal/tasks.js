'use strict';

const { checkFunction } = require('internal/errors');

// What waits for a timer or for work in the background, by its number.
const waiting = new Map();
let queue = [];

exports.wait = (number, callback, repeat) => {
  waiting.set(number, { callback, repeat });
  return number;
};
exports.stop = (number) => waiting.delete(number);

// Called when a timer is due or the work is done, which is an error and a value then.
exports.complete = (number, error, value) => {
  const task = waiting.get(number);
  if (!task) return;
  if (!task.repeat) waiting.delete(number);
  task.callback(error, value);
};

// Has a callback of process.nextTick called.
exports.later = (callback, args) => {
  if (queue.push([callback, args]) === 1) native.tick();
};
exports.ticks = () => {
  while (queue.length > 0) {
    const batch = queue;
    queue = [];
    for (const [callback, args] of batch) {
      try {
        callback(...args);
      } catch (error) {
        require('internal/balancer').uncaught(error);
      }
    }
  }
};

// The outcome of work in the background.
exports.promised = (number) => new Promise((resolve, reject) => {
  exports.wait(number, (error, value) => (error ? reject(error) : resolve(value)));
});

// A function with a callback of one that returns a promise. The callback gets what toArguments makes of the value.
exports.withCallback = (f, toArguments = (value) => [value]) => {
  const called = (...args) => {
    const callback = args.pop();
    checkFunction(callback);
    f(...args).then((value) => exports.later(callback, [null, ...toArguments(value)]), (error) => exports.later(callback, [error]));
  };
  called[Symbol.for('nodejs.util.promisify.custom')] = f;
  return called;
};
