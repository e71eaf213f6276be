'use strict';

const { inspect, isDeepStrictEqual } = require('util');

class AssertionError extends Error {
  constructor({ message, actual, expected, operator }) {
    super(message);
    Object.assign(this, { name: 'AssertionError', code: 'ERR_ASSERTION', actual, expected, operator });
  }
}

function fail(message, actual, expected, operator) {
  if (message instanceof Error) throw message;
  throw new AssertionError({ message: message || inspect(actual) + ' ' + operator + ' ' + inspect(expected), actual, expected, operator });
}

function assert(value, message) {
  if (!value) fail(message, value, true, '==');
}

const comparisons = {
  equal: [(a, b) => a == b || (a !== a && b !== b), '=='],
  notEqual: [(a, b) => a != b, '!='],
  strictEqual: [Object.is, 'strictEqual'],
  notStrictEqual: [(a, b) => !Object.is(a, b), 'notStrictEqual'],
  deepEqual: [isDeepStrictEqual, 'deepEqual'],
  deepStrictEqual: [isDeepStrictEqual, 'deepStrictEqual'],
  notDeepEqual: [(a, b) => !isDeepStrictEqual(a, b), 'notDeepEqual'],
  notDeepStrictEqual: [(a, b) => !isDeepStrictEqual(a, b), 'notDeepStrictEqual'],
};
for (const [name, [holds, operator]] of Object.entries(comparisons)) {
  assert[name] = (actual, expected, message) => holds(actual, expected) || fail(message, actual, expected, operator);
}
assert.ok = assert;
assert.fail = (message) => fail(message || 'Failed');
assert.throws = (f, message) => {
  try {
    f();
  } catch (error) {
    return;
  }
  fail(typeof message === 'string' ? message : 'Missing expected exception.');
};
assert.ifError = (error) => { if (error !== null && error !== undefined) throw error; };
assert.AssertionError = AssertionError;
assert.strict = assert;
module.exports = assert;
