'use strict';

const { format, inspect } = require('util');

for (const [name, level] of Object.entries({ log: 'info', info: 'info', debug: 'debug', warn: 'warn', error: 'error' })) {
  exports[name] = (...args) => native.log(level, format(...args));
}
exports.trace = (...args) => exports.error('Trace: ' + format(...args) + '\n' + new Error().stack);
exports.dir = (value, options) => exports.log(inspect(value, options));
exports.assert = (condition, ...args) => { if (!condition) exports.error('Assertion failed', ...args); };
