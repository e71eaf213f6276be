'use strict';

// Errors with the codes and the words of Node. Node's own modules use them; scripts cannot require this.

function coded(Base, code, message, more) {
  return Object.assign(new Base(message), { code }, more);
}

function received(value) {
  const { inspect } = require('util');
  if (value === null || value === undefined) return 'Received ' + value;
  if (typeof value === 'function') return 'Received function ' + value.name;
  if (typeof value === 'object') {
    const { constructor } = value;
    return 'Received ' + (constructor && constructor.name ? 'an instance of ' + constructor.name : inspect(value, { depth: -1 }));
  }
  const text = inspect(value);
  return 'Received type ' + typeof value + ' (' + (text.length > 28 ? text.slice(0, 25) + '...' : text) + ')';
}

// what is an argument, or a property if there is a dot in it.
function invalidType(what, expected, value) {
  const kind = what.includes('.') ? 'property' : 'argument';
  const subject = what.endsWith(' argument') ? what : '"' + what + '" ' + kind;
  return coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The ' + subject + ' must be ' + expected + '. ' + received(value));
}

function invalidValue(what, value, reason = 'is invalid') {
  const kind = what.includes('.') ? 'property' : 'argument';
  return coded(TypeError, 'ERR_INVALID_ARG_VALUE', 'The ' + kind + " '" + what + "' " + reason + '. Received ' + require('util').inspect(value));
}

function outOfRange(what, range, value) {
  return coded(RangeError, 'ERR_OUT_OF_RANGE', 'The value of "' + what + '" is out of range. It must be ' + range + '. Received ' + String(value));
}

function checkFunction(value, what = 'callback') {
  if (typeof value !== 'function') throw invalidType(what, 'of type function', value);
}

class AbortError extends Error {
  constructor(reason) {
    super('The operation was aborted', reason === undefined ? undefined : { cause: reason });
    this.code = 'ABORT_ERR';
  }
  get name() { return 'AbortError'; }
}

module.exports = { coded, received, invalidType, invalidValue, outOfRange, checkFunction, AbortError };
