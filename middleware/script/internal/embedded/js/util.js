'use strict';

const { inspect, format } = require('internal/inspect');
const { TextEncoder, TextDecoder } = require('internal/encoding');
const { coded, invalidType, checkFunction } = require('internal/errors');
const types = require('internal/types');

const promisified = Symbol.for('nodejs.util.promisify.custom');

function inherits(constructor, parent) {
  checkFunction(constructor, 'ctor');
  checkFunction(parent, 'superCtor');
  Object.defineProperty(constructor, 'super_', { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

function promisify(original) {
  checkFunction(original, 'original');
  const own = original[promisified];
  if (own) {
    if (typeof own !== 'function') throw invalidType('util.promisify.custom', 'of type function', own);
    return Object.defineProperty(own, promisified, { value: own, configurable: true });
  }
  function promised(...args) {
    return new Promise((resolve, reject) => {
      original.call(this, ...args, (error, value) => (error ? reject(error) : resolve(value)));
    });
  }
  Object.setPrototypeOf(promised, Object.getPrototypeOf(original));
  Object.defineProperty(promised, promisified, { value: promised, configurable: true });
  return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
}
promisify.custom = promisified;

function callbackify(original) {
  checkFunction(original, 'original');
  return function (...args) {
    const callback = args.pop();
    checkFunction(callback, 'last argument');
    original.apply(this, args).then(
      (value) => process.nextTick(callback, null, value),
      (reason) => process.nextTick(callback, reason || coded(Error, 'ERR_FALSY_VALUE_REJECTION', 'Promise was rejected with falsy value', { reason })),
    );
  };
}

function deprecate(original, message) {
  let said = false;
  function deprecated(...args) {
    if (!said) {
      said = true;
      console.warn('DeprecationWarning: ' + message);
    }
    return new.target ? Reflect.construct(original, args, new.target) : original.apply(this, args);
  }
  deprecated.prototype = original.prototype;
  return Object.setPrototypeOf(deprecated, original);
}

function debuglog() {
  const log = () => {};
  log.enabled = false;
  return log;
}

const listOf = (value) => (value instanceof Map || value instanceof Set ? [...value] : Reflect.ownKeys(value)
  .filter((key) => Object.prototype.propertyIsEnumerable.call(value, key)).map((key) => [key, value[key]]));

// Whether two values are equal, with what they contain. Pairs that are being compared are equal meanwhile.
function same(a, b, above) {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) || Object.prototype.toString.call(a) !== Object.prototype.toString.call(b)) return false;
  if (above.some(([x, y]) => x === a && y === b)) return true;
  if (a instanceof Date || a instanceof RegExp || types.isBoxedPrimitive(a)) {
    if (!Object.is(String(a), String(b)) || !Object.is(+a, +b)) return false;
  }
  if (a instanceof Error && (a.message !== b.message || a.name !== b.name)) return false;
  if (a instanceof ArrayBuffer) return same(new Uint8Array(a), new Uint8Array(b), above);
  const [first, second] = [listOf(a), listOf(b)];
  const pair = [...above, [a, b]];
  if (first.length !== second.length || Array.isArray(a) && a.length !== b.length) return false;
  return first.every((item) => {
    if (a instanceof Set || a instanceof Map) {
      const at = second.findIndex((other) => same(item, other, pair));
      return at >= 0 && second.splice(at, 1).length > 0;
    }
    return Object.prototype.hasOwnProperty.call(b, item[0]) && same(item[1], b[item[0]], pair);
  });
}

module.exports = {
  inspect, format, inherits, promisify, callbackify, deprecate, debuglog, debug: debuglog, types, TextEncoder, TextDecoder,
  isDeepStrictEqual: (a, b) => same(a, b, []),
  formatWithOptions: (options, ...args) => format(...args),
  log: (...args) => console.log(...args),
  toUSVString: (s) => String(s).replace(/[\ud800-\udfff]/gu, '\ufffd'),
  _extend: (target, source) => (source !== null && typeof source === 'object' ? Object.assign(target, source) : target),
  isArray: Array.isArray,
  isBoolean: (v) => typeof v === 'boolean',
  isNull: (v) => v === null,
  isNullOrUndefined: (v) => v === null || v === undefined,
  isNumber: (v) => typeof v === 'number',
  isString: (v) => typeof v === 'string',
  isSymbol: (v) => typeof v === 'symbol',
  isPrimitive: (v) => v === null || (typeof v !== 'object' && typeof v !== 'function'),
  isBuffer: (v) => Buffer.isBuffer(v),
  isUndefined: (v) => v === undefined,
  isObject: (v) => v !== null && typeof v === 'object',
  isFunction: (v) => typeof v === 'function',
  isRegExp: types.isRegExp,
  isDate: types.isDate,
  isError: types.isNativeError,
  stripVTControlCharacters: (s) => s.replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''),
};
