'use strict';

const { checkFunction } = require('internal/errors');

// Has a callback of process.nextTick called.
exports.later = (callback, args) => native.tick(() => callback(...args));

// The outcome of work in the background, which is started with a function that gets it.
exports.promised = (start) => new Promise((resolve, reject) => {
  start((error, value) => (error ? reject(error) : resolve(value)));
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
