'use strict';

// Errors with Node's codes, and the checks of arguments that throw them.

const coded = (Type, code, message, more) => Object.assign(new Type(message), { code }, more);
const show = (value) => require('util').inspect(value, { depth: 0, maxStringLength: 100 });

function received(value) {
  if (value === undefined || value === null) return String(value);
  if (typeof value === 'function') return 'function ' + value.name;
  if (typeof value === 'object') return 'an instance of ' + ((value.constructor && value.constructor.name) || 'Object');
  return 'type ' + typeof value + ' (' + show(value) + ')';
}

// expected is such as "of type string" or "an instance of Buffer".
const invalidType = (name, expected, value) => coded(TypeError, 'ERR_INVALID_ARG_TYPE',
  'The "' + name + '" argument must be ' + expected + '. Received ' + received(value));
const invalidValue = (name, value, reason = 'is invalid') => coded(TypeError, 'ERR_INVALID_ARG_VALUE',
  "The argument '" + name + "' " + reason + '. Received ' + show(value));
const outOfRange = (name, range, value) => coded(RangeError, 'ERR_OUT_OF_RANGE',
  'The value of "' + name + '" is out of range. It must be ' + range + '. Received ' + show(value));

function check(value, type, name) {
  if (typeof value !== type) throw invalidType(name, 'of type ' + type, value);
}

const checkFunction = (value, name = 'callback') => check(value, 'function', name);

function checkNumber(value, name, least, most) {
  check(value, 'number', name);
  if (!(value >= least && value <= most)) throw outOfRange(name, '>= ' + least + ' && <= ' + most, value);
}

module.exports = { coded, invalidType, invalidValue, outOfRange, check, checkFunction, checkNumber };
