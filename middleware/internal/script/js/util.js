'use strict';

const custom = Symbol.for('nodejs.util.inspect.custom');
const promisified = Symbol.for('nodejs.util.promisify.custom');

function quote(text) {
  return "'" + text.replace(/\\/g, '\\\\').replace(/'/g, "\\'").replace(/\n/g, '\\n') + "'";
}

function inspect(value, options) {
  const depth = options && typeof options === 'object' && options.depth !== undefined ? options.depth : 2;
  return write(value, depth === null ? 100 : Math.min(depth, 100), []);
}

function write(value, depth, above) {
  switch (typeof value) {
    case 'string': return quote(value);
    case 'bigint': return value + 'n';
    case 'symbol': return value.toString();
    case 'function': return /^class\b/.test(Function.prototype.toString.call(value))
      ? '[class ' + value.name + ']' : '[Function' + (value.name ? ': ' + value.name : ' (anonymous)') + ']';
    case 'object': return value === null ? 'null' : writeObject(value, depth, above);
    default: return Object.is(value, -0) ? '-0' : String(value);
  }
}

function writeObject(value, depth, above) {
  if (typeof value[custom] === 'function') {
    const own = value[custom](depth, {}, inspect);
    return typeof own === 'string' ? own : write(own, depth, above);
  }
  if (value instanceof Error) return value.stack ? String(value.stack).trimEnd() : '[' + String(value) + ']';
  if (value instanceof Date) return isNaN(value) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (above.includes(value)) return '[Circular *1]';
  const name = value.constructor && value.constructor.name;
  if (depth < 0) return Array.isArray(value) ? '[Array]' : '[' + (name || 'Object') + ']';
  const inner = [...above, value];
  const item = (v) => write(v, depth - 1, inner);
  if (value instanceof Promise) return 'Promise { <pending> }';
  if (value instanceof Map) return 'Map(' + value.size + ') ' + braces([...value].slice(0, 100).map(([k, v]) => item(k) + ' => ' + item(v)));
  if (value instanceof Set) return 'Set(' + value.size + ') ' + braces([...value].slice(0, 100).map(item));
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return writeList(value, name, item);
  const prefix = name === 'Object' ? '' : name ? name + ' ' : '[Object: null prototype] ';
  return prefix + braces(Object.keys(value).map((key) => {
    return (/^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key)) + ': ' + item(value[key]);
  }));
}

function writeList(value, name, item) {
  if (value instanceof DataView) return 'DataView {}';
  const items = Array.prototype.slice.call(value, 0, 100).map(item);
  if (value.length > 100) items.push('... ' + (value.length - 100) + ' more items');
  const prefix = name === 'Array' ? '' : name + '(' + value.length + ') ';
  return prefix + braces(items, '[', ']');
}

function braces(items, open = '{', close = '}') {
  if (items.length === 0) return open + close;
  const line = items.join(', ');
  return line.length <= 72 ? open + ' ' + line + ' ' + close : open + '\n  ' + items.map((i) => i.replace(/\n/g, '\n  ')).join(',\n  ') + '\n' + close;
}

function format(...args) {
  const words = [];
  if (typeof args[0] === 'string') {
    let next = 1;
    words.push(args[0].replace(/%[sdifjoOc%]/g, (mark) => {
      if (mark === '%%') return args.length > 1 ? '%' : mark;
      if (next >= args.length) return mark;
      const value = args[next++];
      switch (mark) {
        case '%s': return typeof value === 'object' && value !== null && !(value instanceof Error) ? inspect(value, { depth: 0 }) : typeof value === 'bigint' ? value + 'n' : String(value);
        case '%d': return typeof value === 'object' ? 'NaN' : String(Number(value));
        case '%i': return String(parseInt(value, 10));
        case '%f': return String(parseFloat(value));
        case '%j': try { return JSON.stringify(value); } catch (e) { return '[Circular]'; }
        case '%c': return '';
        default: return inspect(value, { depth: 4 });
      }
    }));
    args = args.slice(next);
  }
  for (const value of args) {
    words.push(typeof value === 'string' ? value : inspect(value));
  }
  return words.join(' ');
}

function inherits(constructor, parent) {
  Object.defineProperty(constructor, 'super_', { value: parent, writable: true, configurable: true });
  Object.setPrototypeOf(constructor.prototype, parent.prototype);
}

function promisify(original) {
  if (typeof original !== 'function') throw new TypeError('The "original" argument must be of type function.');
  if (original[promisified]) return original[promisified];
  return function (...args) {
    return new Promise((resolve, reject) => {
      original.call(this, ...args, (error, value) => (error ? reject(error) : resolve(value)));
    });
  };
}
promisify.custom = promisified;
inspect.custom = custom;
inspect.defaultOptions = {};

function callbackify(original) {
  return function (...args) {
    const callback = args.pop();
    original.apply(this, args).then(
      (value) => process.nextTick(callback, null, value),
      (error) => process.nextTick(callback, error || new Error('Promise was rejected with a falsy value')),
    );
  };
}

function deprecate(original, message) {
  let said = false;
  return function (...args) {
    if (!said) {
      said = true;
      console.warn('DeprecationWarning: ' + message);
    }
    return original.apply(this, args);
  };
}

function debuglog() {
  const log = () => {};
  log.enabled = false;
  return log;
}

class TextEncoder {
  get encoding() { return 'utf-8'; }
  encode(text = '') { return new Uint8Array(Buffer.from(String(text))); }
}

class TextDecoder {
  constructor(encoding = 'utf-8') { this.encoding = encoding; }
  decode(bytes = new Uint8Array()) {
    return Buffer.from(bytes instanceof ArrayBuffer ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString(this.encoding);
  }
}

const is = (tag) => (value) => Object.prototype.toString.call(value) === '[object ' + tag + ']';
const types = {
  isDate: is('Date'),
  isRegExp: is('RegExp'),
  isMap: is('Map'),
  isSet: is('Set'),
  isNativeError: (v) => v instanceof Error,
  isPromise: (v) => v instanceof Promise,
  isAsyncFunction: (v) => typeof v === 'function' && is('AsyncFunction')(v),
  isGeneratorFunction: (v) => typeof v === 'function' && is('GeneratorFunction')(v),
  isTypedArray: (v) => ArrayBuffer.isView(v) && !(v instanceof DataView),
  isUint8Array: (v) => v instanceof Uint8Array,
  isArrayBuffer: (v) => v instanceof ArrayBuffer,
  isAnyArrayBuffer: (v) => v instanceof ArrayBuffer,
};

module.exports = {
  inspect, format, inherits, promisify, callbackify, deprecate, debuglog, debug: debuglog, types, TextEncoder, TextDecoder,
  isDeepStrictEqual: (a, b) => require('internal/comparisons').isDeepStrictEqual(a, b),
  isArray: Array.isArray,
  isBoolean: (v) => typeof v === 'boolean',
  isNull: (v) => v === null,
  isNullOrUndefined: (v) => v === null || v === undefined,
  isNumber: (v) => typeof v === 'number',
  isString: (v) => typeof v === 'string',
  isUndefined: (v) => v === undefined,
  isObject: (v) => v !== null && typeof v === 'object',
  isFunction: (v) => typeof v === 'function',
  isRegExp: types.isRegExp,
  isDate: types.isDate,
  isError: types.isNativeError,
  stripVTControlCharacters: (s) => s.replace(/\u001b\[[0-9;]*[A-Za-z]/g, ''),
};
