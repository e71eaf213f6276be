'use strict';

const is = (tag) => (value) => Object.prototype.toString.call(value) === '[object ' + tag + ']';
const isObject = (value) => value !== null && typeof value === 'object';

const types = {
  isNativeError: (v) => v instanceof Error,
  isPromise: (v) => v instanceof Promise,
  isAsyncFunction: (v) => typeof v === 'function' && is('AsyncFunction')(v),
  isGeneratorFunction: (v) => typeof v === 'function' && is('GeneratorFunction')(v),
  isGeneratorObject: is('Generator'),
  isArgumentsObject: is('Arguments'),
  isMapIterator: is('Map Iterator'),
  isSetIterator: is('Set Iterator'),
  isProxy: () => false, // cannot be known
  isExternal: () => false,
  isModuleNamespaceObject: () => false,
  isSharedArrayBuffer: () => false,
  isArrayBufferView: (v) => ArrayBuffer.isView(v),
  isTypedArray: (v) => ArrayBuffer.isView(v) && !(v instanceof DataView),
  isAnyArrayBuffer: (v) => v instanceof ArrayBuffer,
  isBoxedPrimitive: (v) => isObject(v) && boxes.some((box) => types['is' + box + 'Object'](v)),
};

for (const name of ['Date', 'RegExp', 'Map', 'Set', 'WeakMap', 'WeakSet', 'ArrayBuffer', 'DataView', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray',
  'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array']) {
  types['is' + name] = (value) => isObject(value) && value instanceof globalThis[name];
}

const boxes = ['Number', 'String', 'Boolean', 'Symbol', 'BigInt'];
for (const box of boxes) {
  types['is' + box + 'Object'] = (value) => isObject(value) && value instanceof globalThis[box];
}

module.exports = types;
