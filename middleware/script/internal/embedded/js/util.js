'use strict';

const { inspect, format } = require('internal/inspect');
const { checkFunction } = require('internal/errors');

const promisified = Symbol.for('nodejs.util.promisify.custom');

function inherits(constructor, parent) {
  checkFunction(constructor, 'ctor');
  checkFunction(parent, 'superCtor');
  Object.defineProperty(constructor, 'super_', { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

function promisify(original) {
  checkFunction(original, 'original');
  if (original[promisified]) return original[promisified];
  function promised(...args) {
    return new Promise((resolve, reject) => {
      original.call(this, ...args, (error, value) => (error ? reject(error) : resolve(value)));
    });
  }
  return Object.defineProperties(promised, Object.getOwnPropertyDescriptors(original));
}
promisify.custom = promisified;

function deprecate(original, message) {
  let said = false;
  function deprecated(...args) {
    if (!said) console.warn('DeprecationWarning: ' + message);
    said = true;
    return new.target ? Reflect.construct(original, args, new.target) : original.apply(this, args);
  }
  deprecated.prototype = original.prototype;
  return Object.setPrototypeOf(deprecated, original);
}

const types = {
  isNativeError: (v) => v instanceof Error,
  isAsyncFunction: (v) => Object.prototype.toString.call(v) === '[object AsyncFunction]',
  isArrayBufferView: (v) => ArrayBuffer.isView(v),
  isTypedArray: (v) => ArrayBuffer.isView(v) && !(v instanceof DataView),
  isAnyArrayBuffer: (v) => v instanceof ArrayBuffer,
};
for (const name of ['Promise', 'Date', 'RegExp', 'Map', 'Set', 'WeakMap', 'WeakSet', 'ArrayBuffer', 'DataView', 'Uint8Array']) {
  types['is' + name] = (value) => value instanceof globalThis[name];
}

module.exports = {
  inspect, format, inherits, promisify, deprecate, types,
  debuglog: () => Object.assign(() => {}, { enabled: false }),
};
