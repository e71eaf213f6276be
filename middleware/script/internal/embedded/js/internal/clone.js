'use strict';

// structuredClone, of what it can clone here; anything else throws.
module.exports = (DOMException) => {
  const tagOf = (value) => Object.prototype.toString.call(value).slice(8, -1);
  const refuse = (value) => {
    throw new DOMException((typeof value === 'object' ? '#<' + tagOf(value) + '>' : String(value)) + ' could not be cloned.', 'DataCloneError');
  };
  const errors = { EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };
  const opaque = [Promise, WeakMap, WeakSet, Symbol];
  const boxes = [Number, String, Boolean, BigInt];

  function properties(from, to, seen) {
    for (const key of Object.keys(from)) {
      Object.defineProperty(to, key, { value: clone(from[key], seen), writable: true, enumerable: true, configurable: true });
    }
  }

  function error(from, seen) {
    const copy = new (errors[from.name] || Error)();
    for (const key of ['stack', 'message', 'cause']) {
      if (!Object.prototype.hasOwnProperty.call(from, key)) continue;
      Object.defineProperty(copy, key, { value: key === 'cause' ? clone(from.cause, seen) : String(from[key]), writable: true, configurable: true });
    }
    return copy;
  }

  // The copy of an object, still empty if it has others within.
  function begin(from, seen) {
    if (Array.isArray(from)) return new Array(from.length);
    if (from instanceof Date) return new Date(from.getTime());
    if (from instanceof RegExp) return new RegExp(from.source, from.flags);
    if (from instanceof Map) return new Map();
    if (from instanceof Set) return new Set();
    if (from instanceof ArrayBuffer) return from.slice(0);
    if (ArrayBuffer.isView(from)) {
      const kind = from instanceof DataView ? DataView : globalThis[tagOf(from)];
      return new kind(clone(from.buffer, seen), from.byteOffset, from instanceof DataView ? from.byteLength : from.length);
    }
    const box = boxes.find((kind) => from instanceof kind);
    if (box) return Object(box.prototype.valueOf.call(from));
    if (from instanceof Error) return error(from, seen);
    return opaque.some((kind) => from instanceof kind) ? refuse(from) : {};
  }

  function clone(value, seen) {
    if (typeof value === 'function' || typeof value === 'symbol') refuse(value);
    if (typeof value !== 'object' || value === null) return value;
    if (seen.has(value)) return seen.get(value);
    const copy = begin(value, seen);
    seen.set(value, copy);
    if (value instanceof Map) {
      for (const [key, item] of [...value]) copy.set(clone(key, seen), clone(item, seen));
    } else if (value instanceof Set) {
      for (const item of [...value]) copy.add(clone(item, seen));
    } else if (Array.isArray(value) || Object.getPrototypeOf(copy) === Object.prototype) {
      properties(value, copy, seen);
    }
    return copy;
  }

  return function structuredClone(...args) {
    if (args.length === 0) throw Object.assign(new TypeError('The value argument must be specified'), { code: 'ERR_MISSING_ARGS' });
    const options = args[1];
    if (options && options.transfer && options.transfer.length > 0) throw new Error('structuredClone: nothing can be transferred here');
    return clone(args[0], new Map());
  };
};
