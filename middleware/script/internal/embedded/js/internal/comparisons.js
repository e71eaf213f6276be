'use strict';

// Deep equality as Node has it in assert and util.

const hasOwn = (object, key) => Object.prototype.hasOwnProperty.call(object, key);
const isEnumerable = (object, key) => Object.prototype.propertyIsEnumerable.call(object, key);
const tagOf = (value) => Object.prototype.toString.call(value);
const isObject = (value) => typeof value === 'object' && value !== null;
const bothNaN = (a, b) => a !== a && b !== b;

const kinds = [Date, RegExp, Set, Map, ArrayBuffer, Number, String, Boolean, BigInt, Symbol, Error, URL];
const kindOf = (value) => (Array.isArray(value) ? Array : ArrayBuffer.isView(value) ? Uint8Array : kinds.find((kind) => value instanceof kind));

// pairs are those that are being compared, which makes cycles end.
function equal(a, b, strict, pairs) {
  if (a === b) return a !== 0 || !strict || Object.is(a, b);
  if (!isObject(a) || !isObject(b)) {
    if (isObject(a) || isObject(b)) return false;
    return bothNaN(a, b) || (!strict && typeof a !== 'function' && a == b);
  }
  if (strict && Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const kind = kindOf(a);
  if (tagOf(a) !== tagOf(b) || kindOf(b) !== kind) return false;
  if (pairs.some(([x, y]) => x === a && y === b)) return true;
  pairs.push([a, b]);
  const result = sameContent(kind, a, b, strict, pairs) && sameProperties(kind, a, b, strict, pairs);
  pairs.pop();
  return result;
}

function sameContent(kind, a, b, strict, pairs) {
  switch (kind) {
    case Array: return a.length === b.length;
    case Date: return a.getTime() === b.getTime();
    case RegExp: return a.source === b.source && a.flags === b.flags && a.lastIndex === b.lastIndex;
    case Error: return sameErrors(a, b, strict, pairs);
    case Set: return a.size === b.size && sameSets(a, b, strict, pairs);
    case Map: return a.size === b.size && sameMaps(a, b, strict, pairs);
    case ArrayBuffer: return sameBytes(new Uint8Array(a), new Uint8Array(b));
    case Uint8Array: return sameViews(a, b, strict);
    case URL: return a.href === b.href;
    case Number: case String: case Boolean: case BigInt: case Symbol: return Object.is(a.valueOf(), b.valueOf());
    default: return true;
  }
}

function sameErrors(a, b, strict, pairs) {
  return ['message', 'name', 'cause', 'errors'].every((key) => {
    return isEnumerable(a, key) === isEnumerable(b, key) && (isEnumerable(a, key) || equal(a[key], b[key], strict, pairs));
  });
}

function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function sameViews(a, b, strict) {
  if (!strict && (a instanceof Float32Array || a instanceof Float64Array)) return sameBytes(a, b);
  const bytes = (view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return sameBytes(bytes(a), bytes(b));
}

// What is not simply there is looked for among what is left.
function sameSets(a, b, strict, pairs) {
  const left = new Set();
  for (const value of a) {
    if (!isObject(value) && b.has(value)) continue;
    if (!isObject(value) && strict) return false;
    left.add(value);
  }
  const take = (value) => {
    for (const other of left) {
      if (equal(other, value, strict, pairs)) return left.delete(other);
    }
    return false;
  };
  for (const value of b) {
    if ((isObject(value) || (!strict && !a.has(value))) && !take(value)) return false;
  }
  return left.size === 0;
}

function sameMaps(a, b, strict, pairs) {
  const left = new Set();
  const there = (map, key, item) => map.has(key) && equal(map.get(key), item, strict, pairs);
  for (const [key, item] of a) {
    if (!isObject(key) && there(b, key, item)) continue;
    if (!isObject(key) && strict) return false;
    left.add(key);
  }
  const take = (key, item) => {
    for (const other of left) {
      if (equal(other, key, strict, pairs) && equal(a.get(other), item, strict, pairs)) return left.delete(other);
    }
    return false;
  };
  for (const [key, item] of b) {
    if ((isObject(key) || (!strict && !there(a, key, item))) && !take(key, item)) return false;
  }
  return left.size === 0;
}

const isIndex = (key) => typeof key === 'string' && String(key >>> 0) === key;

function keysOf(kind, object, strict) {
  const keys = kind === Uint8Array && !(object instanceof DataView) ? Object.keys(object).filter((key) => !isIndex(key)) : Object.keys(object);
  return strict ? keys.concat(Object.getOwnPropertySymbols(object).filter((key) => isEnumerable(object, key))) : keys;
}

function sameProperties(kind, a, b, strict, pairs) {
  const keys = keysOf(kind, a, strict);
  return keys.length === keysOf(kind, b, strict).length &&
    keys.every((key) => hasOwn(b, key) && isEnumerable(b, key) && equal(a[key], b[key], strict, pairs));
}

exports.isDeepEqual = (a, b) => equal(a, b, false, []);
exports.isDeepStrictEqual = (a, b) => equal(a, b, true, []);
