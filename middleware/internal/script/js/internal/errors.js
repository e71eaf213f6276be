'use strict';

const { inspect } = require('util');

function received(value) {
  if (value === undefined || value === null) return 'Received ' + value;
  if (typeof value === 'function') return 'Received function ' + value.name;
  if (typeof value === 'object') {
    const { constructor } = value;
    return 'Received ' + (constructor && constructor.name ? 'an instance of ' + constructor.name : inspect(value, { depth: -1 }));
  }
  const shown = inspect(value);
  return 'Received type ' + typeof value + ' (' + (shown.length > 28 ? shown.slice(0, 25) + '...' : shown) + ')';
}

const coded = (error, code) => Object.assign(error, { code });

exports.received = received;
exports.coded = coded;
exports.invalidType = (name, type, value) =>
  coded(new TypeError('The "' + name + '" argument must be ' + type + '. ' + received(value)), 'ERR_INVALID_ARG_TYPE');
exports.outOfRange = (name, range, value) =>
  coded(new RangeError('The value of "' + name + '" is out of range. It must be ' + range + '. Received ' + inspect(value)), 'ERR_OUT_OF_RANGE');
exports.aborted = (signal) => Object.assign(new Error('The operation was aborted', { cause: signal.reason }), { name: 'AbortError', code: 'ABORT_ERR' });
