'use strict';

const { format, inspect } = require('util');

const print = (level) => (...args) => native.log(level, format(...args));
const counts = new Map();
const starts = new Map();

exports.log = print('info');
exports.info = print('info');
exports.debug = print('debug');
exports.warn = print('warn');
exports.error = print('error');
exports.trace = (...args) => exports.error('Trace: ' + format(...args) + '\n' + new Error().stack);
exports.dir = (value) => exports.log(inspect(value));
exports.table = exports.dir;
exports.assert = (condition, ...args) => {
  if (!condition) {
    exports.error('Assertion failed' + (args.length > 0 ? ': ' + format(...args) : ''));
  }
};
exports.count = (label = 'default') => {
  counts.set(label, (counts.get(label) || 0) + 1);
  exports.log(label + ': ' + counts.get(label));
};
exports.countReset = (label = 'default') => { counts.delete(label); };
exports.time = (label = 'default') => { starts.set(label, Date.now()); };
exports.timeEnd = (label = 'default') => {
  if (starts.has(label)) {
    exports.log(label + ': ' + (Date.now() - starts.get(label)) + 'ms');
    starts.delete(label);
  }
};
exports.timeLog = exports.timeEnd;
exports.group = (...args) => { if (args.length > 0) exports.log(...args); };
exports.groupCollapsed = exports.group;
exports.groupEnd = () => {};
