'use strict';

const { inspect } = require('util');
const { isDeepEqual, isDeepStrictEqual } = require('internal/comparisons');
const { coded, invalidType, received } = require('internal/errors');

class AssertionError extends Error {
  constructor(options) {
    if (typeof options !== 'object' || options === null) throw invalidType('options', 'of type object', options);
    const { message, actual, expected, operator } = options;
    super(message === undefined ? inspect(actual) + ' ' + operator + ' ' + inspect(expected) : String(message));
    Object.assign(this, { generatedMessage: message === undefined, code: 'ERR_ASSERTION', actual, expected, operator });
  }
}
Object.defineProperty(AssertionError.prototype, 'name', { value: 'AssertionError', writable: true, configurable: true });

function fail(message, generated, actual, expected, operator) {
  if (message instanceof Error) throw message;
  const error = new AssertionError({ message: message === undefined ? generated : message, actual, expected, operator });
  error.generatedMessage = message === undefined;
  throw error;
}

function truthy(args) {
  const [value, message] = args;
  if (value) return;
  const generated = args.length === 0
    ? 'No value argument passed to `assert.ok()`' : 'The expression evaluated to a falsy value: ' + inspect(value);
  fail(message, generated, value, true, '==');
}

function assert(...args) { truthy(args); }

const comparisons = {
  equal: [(a, b) => a == b || (a !== a && b !== b), (a, b) => a + ' == ' + b, '=='],
  notEqual: [(a, b) => a != b && (a === a || b === b), (a, b) => a + ' != ' + b, '!='],
  strictEqual: [Object.is, (a, b) => 'Expected values to be strictly equal:\n\n' + a + ' !== ' + b + '\n'],
  notStrictEqual: [(a, b) => !Object.is(a, b), (a) => 'Expected "actual" to be strictly unequal to: ' + a],
  deepEqual: [isDeepEqual, (a, b) => 'Expected values to be loosely deep-equal:\n\n' + a + '\n\nshould loosely deep-equal\n\n' + b],
  deepStrictEqual: [isDeepStrictEqual, (a, b) => 'Expected values to be strictly deep-equal:\n\n' + a + '\n\nshould equal\n\n' + b],
  notDeepEqual: [
    (a, b) => !isDeepEqual(a, b), (a) => 'Expected "actual" not to be loosely deep-equal to: ' + a,
  ],
  notDeepStrictEqual: [(a, b) => !isDeepStrictEqual(a, b), (a) => 'Expected "actual" not to be strictly deep-equal to: ' + a],
};
for (const [name, [holds, describe, operator = name]] of Object.entries(comparisons)) {
  assert[name] = (...args) => {
    const [actual, expected, message] = args;
    if (args.length < 2) throw coded(TypeError, 'ERR_MISSING_ARGS', 'The "actual" and "expected" arguments must be specified');
    if (!holds(actual, expected)) fail(message, describe(inspect(actual), inspect(expected)), actual, expected, operator);
  };
}

const nothing = {}; // what a function that throws nothing has thrown

function thrownBy(f) {
  if (typeof f !== 'function') throw invalidType('fn', 'of type function', f);
  try {
    f();
  } catch (error) {
    return error;
  }
  return nothing;
}

const isPromise = (value) =>
  value instanceof Promise || (typeof value === 'object' && value !== null && typeof value.then === 'function' && typeof value.catch === 'function');

async function rejectionOf(from) {
  const promise = typeof from === 'function' ? from() : from;
  if (!isPromise(promise)) {
    if (from !== promise) {
      const message = 'Expected instance of Promise to be returned from the "promiseFn" function but got ' + received(promise).slice('Received '.length) + '.';
      throw coded(TypeError, 'ERR_INVALID_RETURN_VALUE', message);
    }
    throw invalidType('promiseFn', 'of type function or an instance of Promise', from);
  }
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return nothing;
}

const invalidExpectation = (expected) => invalidType('error', 'of type function or an instance of Error, RegExp, or Object', expected);

function expectError(operator, what, actual, args) {
  let [expected, message] = args;
  if (typeof expected === 'string') {
    if (args.length > 1) throw invalidExpectation(expected);
    const text = typeof actual === 'object' && actual !== null && actual !== nothing ? actual.message : actual;
    if (text === expected) {
      const said = text === actual ? 'error "' + text + '" is identical' : 'error message "' + text + '" is identical';
      throw coded(TypeError, 'ERR_AMBIGUOUS_ARGUMENT', 'The "error/message" argument is ambiguous. The ' + said + ' to the message.');
    }
    [expected, message] = [undefined, expected];
  } else if (expected !== null && !['undefined', 'object', 'function'].includes(typeof expected)) {
    throw invalidExpectation(expected);
  }
  if (actual === nothing) {
    const name = expected && expected.name ? ' (' + expected.name + ')' : '';
    fail('Missing expected ' + what + name + (message ? ': ' + message : '.'), '', undefined, expected, operator);
  }
  if (expected) checkError(operator, actual, expected, message);
}

function checkError(operator, actual, expected, message) {
  const wrong = (generated) => fail(message, generated, actual, expected, operator);
  if (typeof expected === 'function') {
    if (expected.prototype !== undefined && actual instanceof expected) return;
    if (Object.prototype.isPrototypeOf.call(Error, expected)) {
      wrong('The error is expected to be an instance of "' + expected.name + '". ' + received(actual) +
        (actual instanceof Error ? '\n\nError message:\n\n' + actual.message : ''));
    }
    const result = expected.call({}, actual);
    if (result !== true) {
      wrong('The ' + (expected.name ? '"' + expected.name + '" ' : '') + 'validation function is expected to return "true". Received ' + inspect(result));
    }
  } else if (expected instanceof RegExp) {
    const text = String(actual);
    if (!expected.test(text)) wrong('The input did not match the regular expression ' + inspect(expected) + '. Input:\n\n' + inspect(text) + '\n');
  } else if (typeof actual !== 'object' || actual === null) {
    wrong('Expected values to be strictly deep-equal:\n\n' + inspect(actual) + '\n\nshould equal\n\n' + inspect(expected));
  } else {
    checkProperties(actual, expected, wrong);
  }
}

function checkProperties(actual, expected, wrong) {
  const keys = Object.keys(expected);
  if (expected instanceof Error) {
    keys.push('name', 'message');
  } else if (keys.length === 0) {
    throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', 'The argument \'error\' may not be an empty object. Received {}');
  }
  for (const key of keys) {
    const one = expected[key];
    if (typeof actual[key] === 'string' && one instanceof RegExp && one.test(actual[key])) continue;
    if (!(key in actual) || !isDeepStrictEqual(actual[key], one)) {
      wrong('The property ' + key + ' is expected to be ' + inspect(one) + '. Received ' + inspect(actual[key]));
    }
  }
}

function expectNoError(operator, what, actual, expected, message) {
  if (actual === nothing) return;
  if (typeof expected === 'string') [expected, message] = [undefined, expected];
  if (!expected || isExpected(actual, expected)) {
    const text = 'Got unwanted ' + what + (message ? ': ' + message : '.') + '\nActual message: "' + (actual && actual.message) + '"';
    fail(text, '', actual, expected, operator);
  }
  throw actual;
}

function isExpected(actual, expected) {
  if (expected instanceof RegExp) return expected.test(String(actual));
  if (typeof expected !== 'function') throw invalidType('expected', 'of type function or an instance of RegExp', expected);
  if (expected.prototype !== undefined && actual instanceof expected) return true;
  return !Object.prototype.isPrototypeOf.call(Error, expected) && expected.call({}, actual) === true;
}

function matching(operator, wanted, complaint) {
  return (text, regexp, message) => {
    if (!(regexp instanceof RegExp)) throw invalidType('regexp', 'an instance of RegExp', regexp);
    if (typeof text === 'string' && (regexp.exec(text) !== null) === wanted) return;
    const generated = typeof text === 'string'
      ? complaint + ' the regular expression ' + inspect(regexp) + '. Input:\n\n' + inspect(text) + '\n'
      : 'The "string" argument must be of type string. Received type ' + typeof text + ' (' + inspect(text) + ')';
    fail(message || undefined, generated, text, regexp, operator);
  };
}

function ifError(error) {
  if (error === null || error === undefined) return;
  const shown = typeof error === 'object' && typeof error.message === 'string' ? error.message || error.constructor.name : inspect(error);
  fail('ifError got unwanted exception: ' + shown, '', error, null, 'ifError');
}

Object.assign(assert, {
  ok: (...args) => truthy(args),
  fail: (message) => {
    if (message instanceof Error) throw message;
    fail(message, 'Failed', undefined, undefined, 'fail');
  },
  throws: (f, ...args) => expectError('throws', 'exception', thrownBy(f), args),
  rejects: async (from, ...args) => expectError('rejects', 'rejection', await rejectionOf(from), args),
  doesNotThrow: (f, expected, message) => expectNoError('doesNotThrow', 'exception', thrownBy(f), expected, message),
  doesNotReject: async (from, expected, message) =>
    expectNoError('doesNotReject', 'rejection', await rejectionOf(from), expected, message),
  match: matching('match', true, 'The input did not match'),
  doesNotMatch: matching('doesNotMatch', false, 'The input was expected to not match'),
  ifError,
  AssertionError,
});

assert.strict = Object.assign((...args) => truthy(args), assert, {
  equal: assert.strictEqual,
  deepEqual: assert.deepStrictEqual,
  notEqual: assert.notStrictEqual,
  notDeepEqual: assert.notDeepStrictEqual,
});
assert.strict.strict = assert.strict;

module.exports = assert;
