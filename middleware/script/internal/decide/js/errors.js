'use strict';

// Errors with Node's codes, and the checks of arguments that throw them.

const coded = (Type, code, message, more) => Object.assign(new Type(message), { code }, more);

// expected is such as "of type string" or "an instance of URL".
const invalidType = (name, expected) => coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'The "' + name + '" argument must be ' + expected);
const outOfRange = (name, range) => coded(RangeError, 'ERR_OUT_OF_RANGE', 'The value of "' + name + '" is out of range. It must be ' + range);

function check(value, type, name) {
  if (typeof value !== type) throw invalidType(name, 'of type ' + type);
}

const checkFunction = (value, name = 'callback') => check(value, 'function', name);

module.exports = { coded, invalidType, outOfRange, check, checkFunction };
