'use strict';

// Node's errors with a code, and the checks of arguments that throw them.

function coded(Type, code, message, more) {
  const error = Object.assign(new Type(message), { code }, more);
  const toString = () => error.name + ' [' + code + ']: ' + error.message;
  return Object.defineProperty(error, 'toString', { value: toString, writable: true, configurable: true });
}

const show = (value, options) => require('util').inspect(value, options);

function received(value) {
  if (value === undefined || value === null) return 'Received ' + value;
  if (typeof value === 'function') return 'Received function ' + value.name;
  if (typeof value === 'object') {
    const { constructor } = value;
    return 'Received ' + (constructor && constructor.name ? 'an instance of ' + constructor.name : show(value, { depth: -1 }));
  }
  const text = show(value);
  return 'Received type ' + typeof value + ' (' + (text.length > 28 ? text.slice(0, 25) + '...' : text) + ')';
}

const kind = (name) => (name.includes('.') ? 'property' : 'argument');

// expected is such as "of type string" or "an instance of Buffer"; a name with a space in it is said as it is.
function invalidType(name, expected, value) {
  const what = name.includes(' ') ? name : '"' + name + '" ' + kind(name);
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The ' + what + ' must be ' + expected + '. ' + received(value));
}

function invalidValue(name, value, reason = 'is invalid') {
  const text = show(value);
  return coded(TypeError, 'ERR_INVALID_ARG_VALUE',
    'The ' + kind(name) + " '" + name + "' " + reason + '. Received ' + (text.length > 128 ? text.slice(0, 128) + '...' : text));
}

function outOfRange(name, range, value) {
  let text = typeof value === 'bigint' ? value + 'n' : show(value);
  if (typeof value === 'bigint' ? value > 2n ** 32n || value < -(2n ** 32n) : Number.isInteger(value) && Math.abs(value) > 2 ** 32) {
    text = text.replace(/\B(?=(\d{3})+n?$)/g, '_');
  }
  return coded(RangeError, 'ERR_OUT_OF_RANGE', 'The value of "' + name + '" is out of range. It must be ' + range + '. Received ' + text);
}

const unknownEncoding = (name) => coded(TypeError, 'ERR_UNKNOWN_ENCODING', 'Unknown encoding: ' + String(name));

function checkString(value, name) {
  if (typeof value !== 'string') throw invalidType(name, 'of type string', value);
}

function checkFunction(value, name = 'callback') {
  if (typeof value !== 'function') throw invalidType(name, 'of type function', value);
}

function checkNumber(value, name, least, most) {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (value < least || value > most || ((least !== undefined || most !== undefined) && Number.isNaN(value))) {
    const range = [least !== undefined && '>= ' + least, most !== undefined && '<= ' + most];
    throw outOfRange(name, range.filter(Boolean).join(' && '), value);
  }
}

function checkInteger(value, name, least = Number.MIN_SAFE_INTEGER, most = Number.MAX_SAFE_INTEGER) {
  if (typeof value !== 'number') throw invalidType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < least || value > most) throw outOfRange(name, '>= ' + least + ' && <= ' + most, value);
}

class AbortError extends Error {
  constructor(reason) {
    super('The operation was aborted', reason === undefined ? undefined : { cause: reason });
    this.code = 'ABORT_ERR';
  }
  get name() { return 'AbortError'; }
}

module.exports = {
  coded, received, invalidType, invalidValue, outOfRange, unknownEncoding, checkString, checkFunction, checkNumber, checkInteger, AbortError,
};
