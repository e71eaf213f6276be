'use strict';

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
  task.callback(error === undefined ? null : error, value);
};

// Has a callback of process.nextTick called.
exports.later = (callback, args) => {
  if (queue.push([callback, args]) === 1) native.tick();
};
exports.ticks = () => {
  while (queue.length > 0) {
    const batch = queue;
    queue = [];
    for (let i = 0; i < batch.length; i++) {
      try {
        batch[i][0](...batch[i][1]);
      } catch (error) {
        require('internal/balancer').uncaught(error);
      }
    }
  }
};

// An operation of the system that has a callback, or without one a promise.
exports.promised = (start) => new Promise((resolve, reject) => {
  exports.wait(start(), (error, value) => (error ? reject(error) : resolve(value)));
});
