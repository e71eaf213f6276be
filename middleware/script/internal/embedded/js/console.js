'use strict';

const { format, inspect } = require('util');

for (const [name, level] of Object.entries({ log: 'info', info: 'info', debug: 'debug', warn: 'warn', error: 'error' })) {
  exports[name] = (...args) => native.log(level, format(...args));
}
exports.trace = (...args) => exports.error('Trace: ' + format(...args) + '\n' + new Error().stack);
exports.dir = (value, options) => exports.log(inspect(value, options));
exports.assert = (condition, ...args) => { if (!condition) exports.error('Assertion failed', ...args); };

const starts = new Map();
const counts = new Map();

exports.time = (label = 'default') => { starts.set(label, Date.now()); };
exports.timeEnd = (label = 'default') => {
  if (starts.has(label)) exports.log('%s: %dms', label, Date.now() - starts.get(label));
  starts.delete(label);
};
exports.count = (label = 'default') => {
  counts.set(label, (counts.get(label) || 0) + 1);
  exports.log('%s: %d', label, counts.get(label));
};
exports.group = (...args) => { if (args.length > 0) exports.log(...args); };
exports.groupEnd = () => {};
